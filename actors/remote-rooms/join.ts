import { isJsonObject, type Json, type JsonObject } from '../../src/kit/json.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { ReceivedEvent, Sent } from '../rooms/protocol.ts';
import { findCandidates } from './candidates.ts';
import { answerOr, type RemoteDesk, ROOMS_DEADLINE_MS } from './desk.ts';
import { askForMember, type FinishedMember } from './finish-template.ts';
import type { RemoteRoomsProtocol } from './protocol.ts';
import { malformed, refusalOfAnswer, tryServers } from './try-servers.ts';

type Join = InputOf<RemoteRoomsProtocol, 'remote-rooms.join'>;

/** How long a server may take for the state of a room, in milliseconds. */
const SEND_JOIN_TIMEOUT_MS = 120_000;
/** The largest state of a room that is read, in bytes: rooms with tens of thousands of members. */
const SEND_JOIN_BYTES_MAX = 200 * 1_024 * 1_024;
/** Events of a state and of its auth chains, each. */
const JOIN_EVENTS_MAX = 200_000;
/** After so long no further server is asked, in milliseconds. */
const JOIN_BUDGET_MS = 150_000;

/** What a server has answered a join with, as it came. */
interface GivenState {
  readonly kind: 'given';
  /** The join, with the server's signature where that takes part in it. */
  readonly event: JsonObject;
  readonly state: readonly JsonObject[];
  readonly authChain: readonly JsonObject[];
}

function areEvents(value: unknown): value is readonly JsonObject[] {
  return (
    Array.isArray(value) && value.length <= JOIN_EVENTS_MAX && value.every((event) => isJsonObject(event))
  );
}

async function sendJoin(
  desk: RemoteDesk,
  server: string,
  join: FinishedMember,
): Promise<GivenState | Refusal> {
  const { pdu, eventId } = join;
  const roomId = encodeURIComponent(pdu.room_id ?? '');
  const answer = await desk.client.request({
    destination: server,
    method: 'PUT',
    path: `/_matrix/federation/v2/send_join/${roomId}/${encodeURIComponent(eventId)}`,
    query: { omit_members: 'false' },
    body: pdu,
    timeoutMs: SEND_JOIN_TIMEOUT_MS,
    answerBytesMax: SEND_JOIN_BYTES_MAX,
    // It has just answered, which is not known everywhere yet.
    isProbe: true,
  });
  if (answer.kind !== 'answered') return refusalOfAnswer(server, answer);
  const { state, auth_chain: authChain, event, members_omitted: isPartial } = answer.body;
  if (!areEvents(state) || !areEvents(authChain)) return malformed(server, 'no state of the room');
  // Nothing can be decided with a state that is not whole, and it was not asked for.
  if (isPartial === true) return malformed(server, 'a part of the state of the room');
  return { kind: 'given', event: withSignatures(pdu, event), state, authChain };
}

/** Our join with the signatures that it came back with: nothing else of what came back is looked at. */
function withSignatures(pdu: Pdu, given: Json | undefined): JsonObject {
  const signatures = isJsonObject(given) ? given['signatures'] : undefined;
  return isJsonObject(signatures) ? { ...pdu, signatures: { ...signatures, ...pdu.signatures } } : pdu;
}

/** The same hash with the same signatures is the same event: most of the auth chain is of the state. */
function nameOf({ hashes, signatures }: JsonObject): string {
  const sha256 = isJsonObject(hashes) ? hashes['sha256'] : null;
  return JSON.stringify([sha256, signatures]);
}

/** The events that are valid, each checked once, by what they were given as. */
async function checkGiven(
  desk: RemoteDesk,
  { version }: FinishedMember,
  roomId: string,
  given: GivenState,
): Promise<ReadonlyMap<string, ReceivedEvent> | Refusal> {
  const byName = new Map<string, JsonObject>();
  for (const event of [given.event, ...given.state, ...given.authChain]) byName.set(nameOf(event), event);
  const checked = await desk.check(version, [...byName.values()]);
  if (isRefusal(checked)) return checked;
  const valid = new Map<string, ReceivedEvent>();
  for (const [index, name] of [...byName.keys()].entries()) {
    const outcome = checked[index];
    if (outcome?.kind === 'valid' && outcome.roomId === roomId) valid.set(name, outcome.event);
  }
  const dropped = byName.size - valid.size;
  if (dropped > 0) desk.log.info('events of a state are not valid and left out', { roomId, dropped });
  return valid;
}

function validOf(
  valid: ReadonlyMap<string, ReceivedEvent>,
  events: readonly JsonObject[],
): readonly ReceivedEvent[] {
  return events.map((event) => valid.get(nameOf(event))).filter((event) => event !== undefined);
}

async function joinThrough(desk: RemoteDesk, server: string, join: Join): Promise<Sent | Refusal> {
  const { roomId } = join;
  const member = await askForMember(desk, server, { ...join, membership: 'join' });
  if (isRefusal(member)) return member;
  const given = await sendJoin(desk, server, member);
  if (isRefusal(given)) return given;
  const valid = await checkGiven(desk, member, roomId, given);
  if (isRefusal(valid)) return valid;
  const event = valid.get(nameOf(given.event));
  if (event === undefined) return malformed(server, 'no signature for our join that takes one');
  return answerOr(
    desk.rooms.ask(
      'rooms.accept-join',
      {
        roomId,
        roomVersion: member.version.id,
        event,
        state: validOf(valid, given.state),
        authChain: validOf(valid, given.authChain),
        receivedFrom: server,
      },
      { deadlineMs: ROOMS_DEADLINE_MS },
    ),
  );
}

/**
 * Lets a local user join a room through one of the servers that are in it. Server-Server API v1.19, "Joining Rooms".
 *
 * @returns refused with what the servers said; see the protocol
 */
export async function joinElsewhere(desk: RemoteDesk, join: Join): Promise<Sent | Refusal> {
  const servers = await findCandidates(desk.db, desk.signer.serverName, join);
  return tryServers(desk, servers, JOIN_BUDGET_MS, (server) => joinThrough(desk, server, join));
}
