import type { Clock } from '../../src/kit/clock.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { Later, later } from '../kit/actor.ts';
import type { Sent } from './protocol.ts';
import type { RoomWork } from './room-work.ts';

/** Events of ours that wait, in one room, for one that its policy server looks at. */
export const OWN_WAITING_MAX = 100;
/** How long one of them waits, in milliseconds: then its client hears that it takes too long, and has not gone away yet. */
export const OWN_WAIT_MS_MAX = 20_000;
/** When it is worth trying again where too many wait, in milliseconds. */
const RETRY_AFTER_MS = 2_000;

type Answer = Sent | Refusal;
type OwnTurn = Answer | Later<Answer>;

/**
 * The order of our own events in rooms whose policy server looks at them first: each waits for the one before it, outside of the room's turn, so
 * that what others send goes on meanwhile. In all other rooms it does nothing.
 */
export interface OwnOrder {
  /** Runs the handler at once where nothing of ours is under way in the room, otherwise in a turn of the room when that is over. */
  follow(roomId: string, handle: () => Promise<OwnTurn>): Promise<OwnTurn>;
  /** An event of ours waits for its signature until `answer` is there. */
  begin(roomId: string, answer: Promise<unknown>): void;
}

interface Queue {
  last: Promise<unknown>;
  waiting: number;
}

const tooMany = (): Refusal =>
  refuse('M_LIMIT_EXCEEDED', 'Too many events wait for the policy server of this room.', {
    extra: { retry_after_ms: RETRY_AFTER_MS },
  });

const tooLong = (): Refusal =>
  refuse('M_UNKNOWN', 'The policy server of this room takes too long: try again later.', { status: 504 });

/** Makes one in which nothing waits. */
export function createOwnOrder(clock: Clock, work: Pick<RoomWork, 'inTurn'>): OwnOrder {
  const queues = new Map<string, Queue>();

  function putLast(roomId: string, queue: Queue, answer: Promise<unknown>): void {
    const forget = (): void => {
      if (queue.last === settled) queues.delete(roomId);
    };
    const settled: Promise<void> = answer.then(forget, forget);
    queue.last = settled;
  }

  return {
    async follow(roomId, handle) {
      const queue = queues.get(roomId);
      if (queue === undefined) return handle();
      if (queue.waiting >= OWN_WAITING_MAX) return tooMany();
      const since = clock.now();
      const before = queue.last;
      const answer = (async (): Promise<Answer> => {
        queue.waiting += 1;
        await before;
        queue.waiting -= 1;
        if (clock.now() - since > OWN_WAIT_MS_MAX) return tooLong();
        const turn = await work.inTurn(roomId, handle);
        return turn instanceof Later ? turn.answer : turn;
      })();
      putLast(roomId, queue, answer);
      return later(answer);
    },
    begin(roomId, answer) {
      if (queues.has(roomId)) return;
      const queue: Queue = { last: answer, waiting: 0 };
      queues.set(roomId, queue);
      putLast(roomId, queue, answer);
    },
  };
}
