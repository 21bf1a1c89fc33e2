import { federationStream } from '../../src/streams/federation-stream.ts';
import type { TroupeContext } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';
import type { QueueFollower } from './queue-follower.ts';

/** How long a position of the events stream rests before all events up to it count as queued, in milliseconds. */
export const EVENTS_REST_MS = 10_000;

/**
 * Finds positions of the events stream up to where the queue has had all events of ours: after its owner has worked off what it was told by
 * then, and some time. From such a mark the next life looks for what was not sent.
 */
export interface EventMark {
  /** Looks for the next mark. */
  advance(): void;
  /** A new mark, once; null: none. Only what was received of the queue before this call counts. */
  take(): number | null;
  /** Rows of the queue were lost: a mark that is being looked for is none. */
  reset(): void;
}

/** Makes the mark of one life. */
export function createEventMark(context: TroupeContext, queue: QueueFollower): EventMark {
  const { clock, env } = context;
  let attempt = 0;
  let isLooking = false;
  let ready: number | null = null;
  let last = -1;

  async function settled(): Promise<boolean> {
    const epoch = queue.epoch();
    // Answered when the owner has worked off all that it was told before; that this asks for no rows makes it cheap.
    const read = { stream: federationStream.name, epoch, from: 0, to: 0, limit: 1 };
    const answer = await context.ref('federation').ask('stream.read', read);
    return answer.epoch === epoch;
  }

  async function look(position: number, current: number): Promise<void> {
    try {
      const isSettled = await settled();
      if (current !== attempt) return;
      clock.after(EVENTS_REST_MS, () => {
        isLooking = false;
        if (!isSettled || current !== attempt || !queue.isLive()) return;
        [ready, last] = [position, position];
      });
    } catch (error) {
      isLooking = false;
      if (!context.ended.aborted && !(error instanceof AskFailed)) context.crash(error);
    }
  }

  return {
    advance() {
      const position = env.streams?.currentToken('events') ?? 0;
      if (isLooking || position <= last || !queue.isLive()) return;
      isLooking = true;
      void look(position, attempt);
    },
    take() {
      const taken = ready;
      ready = null;
      return taken;
    },
    reset() {
      attempt += 1;
      isLooking = false;
      ready = null;
    },
  };
}
