import type { PartialRoom } from '../../db/rooms/partial-reader.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { areEvents, checkGiven, STATE_BYTES_MAX } from './check-given.ts';
import { answerOr } from '../answer-or.ts';
import type { RemoteDesk } from './desk.ts';

/** How long a server may take for the whole state of a room, in milliseconds. */
const STATE_TIMEOUT_MS = 180_000;
/** How long `rooms` may take to make a room whole, in milliseconds: all that was received since the join is looked at again. */
const COMPLETE_DEADLINE_MS = 900_000;

/** What one server brought. `gone`: there is nothing to complete any more. */
export type CompletionAttempt =
  | { readonly kind: 'completed' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly reason: string };

function failed(reason: string): CompletionAttempt {
  return { kind: 'failed', reason };
}

/** The state before the join, as the server gives it; why not, where it does not. */
async function askForState(
  desk: RemoteDesk,
  { roomId, joinEventId }: PartialRoom,
  server: string,
  isProbe: boolean,
): Promise<
  | { readonly kind: 'state'; readonly pdus: unknown; readonly authChain: unknown }
  | { readonly kind: 'failed'; readonly reason: string }
> {
  const answer = await desk.client.request({
    destination: server,
    method: 'GET',
    path: `/_matrix/federation/v1/state/${encodeURIComponent(roomId)}`,
    query: { event_id: joinEventId },
    timeoutMs: STATE_TIMEOUT_MS,
    answerBytesMax: STATE_BYTES_MAX,
    signal: desk.ended,
    isProbe,
  });
  if (answer.kind === 'answered')
    return { kind: 'state', pdus: answer.body['pdus'], authChain: answer.body['auth_chain'] };
  const reason =
    answer.kind === 'unreachable' ? answer.reason : `${answer.status} ${answer.errcode}: ${answer.error}`;
  return { kind: 'failed', reason };
}

/**
 * Brings the state that a room was joined without from one server, has it checked, and gives it to `rooms`. Server-Server API v1.19,
 * `GET /state/{roomId}`; MSC3902.
 *
 * @param isProbe asks it even if it counts as out of reach
 */
export async function completeThrough(
  desk: RemoteDesk,
  partial: PartialRoom,
  server: string,
  isProbe: boolean,
): Promise<CompletionAttempt> {
  const { roomId } = partial;
  const room = await findRoom(desk.db, roomId);
  if (room === undefined) return { kind: 'gone' };
  const given = await askForState(desk, partial, server, isProbe);
  if (given.kind === 'failed') return given;
  const { pdus, authChain } = given;
  if (!areEvents(pdus) || !areEvents(authChain)) return failed('it gave no state of the room');
  const checked = await checkGiven(desk, getRoomVersion(room.roomVersion), roomId, [...pdus, ...authChain]);
  if (isRefusal(checked)) return failed(checked.error);
  const completed = await answerOr(
    desk.rooms.ask(
      'rooms.complete-state',
      {
        roomId,
        state: checked.validOf(pdus),
        authChain: checked.validOf(authChain),
        receivedFrom: server,
      },
      { deadlineMs: COMPLETE_DEADLINE_MS },
    ),
  );
  if (!isRefusal(completed)) return { kind: 'completed' };
  return completed.errcode === 'M_NOT_FOUND' ? { kind: 'gone' } : failed(completed.error);
}
