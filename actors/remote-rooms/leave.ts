import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { answerOr } from '../answer-or.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { Sent } from '../rooms/protocol.ts';
import { findCandidates } from './candidates.ts';
import type { RemoteDesk } from './desk.ts';
import { askForMember, type FinishedMember } from './finish-template.ts';
import type { RemoteRoomsProtocol } from './protocol.ts';
import { refusalOfAnswer, tryServers } from './try-servers.ts';

type Leave = InputOf<RemoteRoomsProtocol, 'remote-rooms.leave'>;

/** How long a server may take for each of its two answers, in milliseconds: the user waits, and may leave without it. */
const LEAVE_TIMEOUT_MS = 8_000;
/** After so long no further server is asked, in milliseconds. */
const LEAVE_BUDGET_MS = 8_000;

async function leaveThrough(
  desk: RemoteDesk,
  server: string,
  leave: Leave,
): Promise<FinishedMember | Refusal> {
  const { roomId } = leave;
  const member = await askForMember(desk, server, {
    ...leave,
    membership: 'leave',
    timeoutMs: LEAVE_TIMEOUT_MS,
  });
  if (isRefusal(member)) return member;
  const { eventId, pdu } = member;
  const answer = await desk.client.request({
    destination: server,
    method: 'PUT',
    path: `/_matrix/federation/v2/send_leave/${encodeURIComponent(roomId)}/${encodeURIComponent(eventId)}`,
    body: pdu,
    timeoutMs: LEAVE_TIMEOUT_MS,
    // It has just answered, which is not known everywhere yet.
    isProbe: true,
  });
  return answer.kind === 'answered' ? member : refusalOfAnswer(server, answer);
}

/**
 * Rejects an invite to, or takes back a knock on, a room that this server is not in: through one of the servers that are, or alone where none of
 * them helps, for whoever wants to be rid of an invite has to be. Server-Server API v1.19, "Leaving Rooms (Rejecting Invites)".
 *
 * @returns refused with M_FORBIDDEN when there is nothing to leave
 */
export async function leaveElsewhere(desk: RemoteDesk, leave: Leave): Promise<Sent | Refusal> {
  const { roomId, userId, content } = leave;
  const servers = await findCandidates(desk.db, desk.signer.serverName, { ...leave, via: [] });
  const left = await tryServers(desk, servers, LEAVE_BUDGET_MS, (server) =>
    leaveThrough(desk, server, leave),
  );
  if (!isRefusal(left)) {
    const { eventId, pdu } = left;
    const event = { eventId, pdu: JSON.stringify(pdu) };
    return answerOr(desk.rooms.ask('rooms.accept-leave', { roomId, event }));
  }
  const alone = { roomId, sender: userId, target: userId, action: 'leave', content } as const;
  return answerOr(desk.rooms.ask('rooms.change-membership', alone));
}
