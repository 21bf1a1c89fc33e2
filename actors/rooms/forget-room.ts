import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { findLocalMembership } from '../../db/rooms/membership-reader.ts';
import { forgetRoom as forgetSteps } from '../../db/rooms/writer.ts';
import { refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { RoomsProtocol } from './protocol.ts';

type ForgetRoom = InputOf<RoomsProtocol, 'rooms.forget-room'>;

/**
 * Forgets a room that the user has left or is banned from; once more does no harm.
 * Client-Server API v1.19, `POST /rooms/{roomId}/forget`.
 *
 * @param write a write that advances no stream
 */
export async function forgetRoom(
  context: TroupeContext,
  write: (steps: readonly WriteStep[]) => Promise<WriteOutcome>,
  { roomId, userId }: ForgetRoom,
): Promise<OutputOf<RoomsProtocol, 'rooms.forget-room'>> {
  const membership = await findLocalMembership(context.env.db, userId, roomId);
  if (membership === undefined) return refuse('M_NOT_FOUND', 'you have never been in this room');
  if (membership.isForgotten) return { kind: 'forgotten' };
  const outcome = await write(forgetSteps(roomId, userId));
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') return refuse('M_UNKNOWN', 'leave the room before you forget it');
  context.ref('caches').tell('caches.invalidate', { facts: [{ fact: 'membership', roomId, userId }] });
  context.ref('thread-subscriptions').tell('thread-subscriptions.forget-room-of-user', { userId, roomId });
  return { kind: 'forgotten' };
}
