import { readHostsOfRoom } from '../../db/rooms/hosts-reader.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/kit/json.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { parseServerName } from '../../src/matrix/identifiers/server-name.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { answerOr } from '../answer-or.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { Sent } from '../rooms/protocol.ts';
import { findCandidates } from './candidates.ts';
import { areEvents, type CheckedEvents, checkGiven, STATE_BYTES_MAX } from './check-given.ts';
import { type RemoteDesk, ROOMS_DEADLINE_MS } from './desk.ts';
import { askForMember, type FinishedMember } from './finish-template.ts';
import type { RemoteRoomsProtocol } from './protocol.ts';
import { malformed, refusalOfAnswer, tryServers } from './try-servers.ts';

type Join = InputOf<RemoteRoomsProtocol, 'remote-rooms.join'>;

/** How long a server may take for the state of a room, in milliseconds. */
const SEND_JOIN_TIMEOUT_MS = 120_000;
/** Servers that are named as being in a room: of more the others are left out. */
const SERVERS_NAMED_MAX = 20_000;
/** After so long no further server is asked, in milliseconds. */
const JOIN_BUDGET_MS = 150_000;

/** What a server has answered a join with, as it came. */
interface GivenState {
  readonly kind: 'given';
  /** The join, with the server's signature where that takes part in it. */
  readonly event: JsonObject;
  readonly state: readonly JsonObject[];
  readonly authChain: readonly JsonObject[];
  /** Not null: member events are missing from the state, and these servers are in the room. */
  readonly partial: { readonly servers: readonly string[] } | null;
}

/** The servers that are named as being in the room, and the one that names them; undefined where they are not named. */
function namedServers(
  desk: RemoteDesk,
  server: string,
  given: Json | undefined,
): readonly string[] | undefined {
  if (!Array.isArray(given)) return undefined;
  const named = given
    .slice(0, SERVERS_NAMED_MAX)
    .filter((one): one is string => typeof one === 'string' && parseServerName(one) !== undefined);
  return [...new Set([server, ...named])].filter((one) => one !== desk.signer.serverName);
}

async function sendJoin(
  desk: RemoteDesk,
  server: string,
  join: FinishedMember,
  mayOmitMembers: boolean,
): Promise<GivenState | Refusal> {
  const { pdu, eventId } = join;
  const roomId = encodeURIComponent(pdu.room_id ?? '');
  const answer = await desk.client.request({
    destination: server,
    method: 'PUT',
    path: `/_matrix/federation/v2/send_join/${roomId}/${encodeURIComponent(eventId)}`,
    query: { omit_members: String(mayOmitMembers) },
    body: pdu,
    timeoutMs: SEND_JOIN_TIMEOUT_MS,
    answerBytesMax: STATE_BYTES_MAX,
    // It has just answered, which is not known everywhere yet.
    isProbe: true,
  });
  if (answer.kind !== 'answered') return refusalOfAnswer(server, answer);
  const {
    state,
    auth_chain: authChain,
    event,
    members_omitted: isPartial,
    servers_in_room: named,
  } = answer.body;
  if (!areEvents(state) || !areEvents(authChain)) return malformed(server, 'no state of the room');
  const given = { kind: 'given', event: withSignatures(pdu, event), state, authChain } as const;
  if (isPartial !== true) return { ...given, partial: null };
  if (!mayOmitMembers) return malformed(server, 'a part of the state of the room, which was not asked for');
  const servers = namedServers(desk, server, named);
  if (servers === undefined) return malformed(server, 'no list of the servers in the room');
  return { ...given, partial: { servers } };
}

/** Our join with the signatures that it came back with: nothing else of what came back is looked at. */
function withSignatures(pdu: Pdu, given: Json | undefined): JsonObject {
  const signatures = isJsonObject(given) ? given['signatures'] : undefined;
  return isJsonObject(signatures) ? { ...pdu, signatures: { ...signatures, ...pdu.signatures } } : pdu;
}

/** Without the event that made it there is no room, and nobody but its server, or who has kept its key, can help. */
function refuseUnchecked(state: readonly JsonObject[], checked: CheckedEvents): Refusal | undefined {
  const create = state.find(({ type, state_key: stateKey }) => type === 'm.room.create' && stateKey === '');
  const reason = create && checked.reasonAgainst(create);
  if (reason === undefined) return undefined;
  const hint = 'Try again when that server can be reached, or name a trusted key server that knows its key.';
  return refuse('M_UNKNOWN', `The event that made the room cannot be checked: ${reason}. ${hint}`, {
    status: 502,
  });
}

async function joinThrough(desk: RemoteDesk, server: string, join: Join): Promise<Sent | Refusal> {
  const { roomId } = join;
  const member = await askForMember(desk, server, { ...join, membership: 'join' });
  if (isRefusal(member)) return member;
  // In a room that this server is in already, what is known is not replaced by a part.
  const isInside = (await readHostsOfRoom(desk.db, roomId)).includes(desk.signer.serverName);
  const given = await sendJoin(desk, server, member, !isInside);
  if (isRefusal(given)) return given;
  const { state, authChain, partial } = given;
  const checked = await checkGiven(desk, member.version, roomId, [given.event, ...state, ...authChain]);
  if (isRefusal(checked)) return checked;
  const event = checked.find(given.event);
  if (event === undefined) return malformed(server, 'no signature for our join that takes one');
  const unchecked = refuseUnchecked(state, checked);
  if (unchecked !== undefined) return unchecked;
  return answerOr(
    desk.rooms.ask(
      'rooms.accept-join',
      {
        roomId,
        roomVersion: member.version.id,
        event,
        state: checked.validOf(state),
        authChain: checked.validOf(authChain),
        receivedFrom: server,
        partial,
      },
      { deadlineMs: ROOMS_DEADLINE_MS },
    ),
  );
}

/**
 * Lets a local user join a room through one of the servers that are in it. Into a room that this server is not in, the user comes before its members
 * do, where the other server knows how. Server-Server API v1.19, "Joining Rooms", `omit_members`; MSC3706.
 *
 * @returns refused with what the servers said; see the protocol
 */
export async function joinElsewhere(desk: RemoteDesk, join: Join): Promise<Sent | Refusal> {
  const servers = await findCandidates(desk.db, desk.signer.serverName, join);
  return tryServers(desk, servers, JOIN_BUDGET_MS, (server) => joinThrough(desk, server, join));
}
