import type { RoomInDeletion } from '../../db/rooms/deletion-reader.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';
import type { Forgotten } from './protocol.ts';

async function askAgain(ask: () => Promise<Forgotten | Refusal>): Promise<number | Refusal> {
  for (let freedBytes = 0; ;) {
    const answer = await ask();
    if (isRefusal(answer)) return answer;
    freedBytes += answer.freedBytes;
    if (!answer.isMore) return freedBytes;
  }
}

/**
 * Lets every other owner delete what it has of a room, a few rows at a time.
 *
 * @returns what that took, in bytes, about; refused with M_UNKNOWN, 503, when an owner does not answer: asked again, it goes on
 */
export async function forgetElsewhere(
  context: Pick<TroupeContext, 'ref'>,
  { roomId, roomNid }: RoomInDeletion,
): Promise<number | Refusal> {
  const asks = [
    () => context.ref('receipts').ask('receipts.forget-room', { roomNid }),
    () => context.ref('account-data').ask('account-data.forget-room', { roomId }),
    () => context.ref('push-rules').ask('push-rules.forget-room', { roomId }),
    () => context.ref('thread-subscriptions').ask('thread-subscriptions.forget-room', { roomId }),
    () => context.ref('push').ask('push.forget-room', { roomNid }),
    () => context.ref('delayed-events').ask('delayed-events.forget-room', { roomId }),
  ];
  try {
    let sum = 0;
    for (const ask of asks) {
      const bytes = await askAgain(ask);
      if (isRefusal(bytes)) return bytes;
      sum += bytes;
    }
    return sum;
  } catch (error) {
    if (!(error instanceof AskFailed)) throw error;
    return refuse('M_UNKNOWN', `${error.actor} does not answer: ask again, and it goes on`, { status: 503 });
  }
}
