import { isJsonObject } from '../../src/kit/json.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { answerOr } from '../answer-or.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { Sent } from '../rooms/protocol.ts';
import { findCandidates } from './candidates.ts';
import { checkToldState } from './check-told-state.ts';
import type { RemoteDesk } from './desk.ts';
import { askForMember } from './finish-template.ts';
import type { RemoteRoomsProtocol } from './protocol.ts';
import { refusalOfAnswer, tryServers } from './try-servers.ts';

type Knock = InputOf<RemoteRoomsProtocol, 'remote-rooms.knock'>;

/** How long a server may take for a knock, in milliseconds. */
const SEND_KNOCK_TIMEOUT_MS = 30_000;
/** After so long no further server is asked, in milliseconds. */
const KNOCK_BUDGET_MS = 60_000;

async function knockThrough(desk: RemoteDesk, server: string, knock: Knock): Promise<Sent | Refusal> {
  const { roomId } = knock;
  const member = await askForMember(desk, server, { ...knock, membership: 'knock' });
  if (isRefusal(member)) return member;
  const { version, eventId, pdu } = member;
  const answer = await desk.client.request({
    destination: server,
    method: 'PUT',
    path: `/_matrix/federation/v1/send_knock/${encodeURIComponent(roomId)}/${encodeURIComponent(eventId)}`,
    body: pdu,
    timeoutMs: SEND_KNOCK_TIMEOUT_MS,
    // It has just answered, which is not known everywhere yet.
    isProbe: true,
  });
  if (answer.kind !== 'answered') return refusalOfAnswer(server, answer);
  const { knock_room_state: given } = answer.body;
  const events = Array.isArray(given) ? given.filter((event) => isJsonObject(event)) : [];
  const told = await checkToldState(desk, version, roomId, events, false);
  if (isRefusal(told)) return told;
  return answerOr(
    desk.rooms.ask('rooms.accept-knock', {
      roomId,
      roomVersion: version.id,
      event: { eventId, pdu: JSON.stringify(pdu) },
      strippedState: told.state,
      receivedFrom: server,
    }),
  );
}

/**
 * Lets a local user knock on a room through one of the servers that are in it. Server-Server API v1.19, "Knocking upon a room".
 *
 * @returns refused with what the servers said; see the protocol
 */
export async function knockElsewhere(desk: RemoteDesk, knock: Knock): Promise<Sent | Refusal> {
  const servers = await findCandidates(desk.db, desk.signer.serverName, knock);
  return tryServers(desk, servers, KNOCK_BUDGET_MS, (server) => knockThrough(desk, server, knock));
}
