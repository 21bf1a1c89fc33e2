import type { Clock } from '../../src/kit/clock.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { ActorRef } from '../kit/ref.ts';
import type { RoomsProtocol } from './protocol.ts';

/** How long work waits for room in the actor's own mailbox before it tries again. */
const MAILBOX_RETRY_MS = 50;

/**
 * Long work on rooms, in slices: each slice is one turn of its room, so that nothing is written beside it and everybody else gets their turn
 * between two slices.
 */
export interface RoomWork {
  /** Runs `slice` in a turn of its own of the room. Refused with M_UNKNOWN, 503, when the server stops before its turn has come. */
  inTurn<T>(roomId: string, slice: () => Promise<T>): Promise<T | Refusal>;
  /** Runs a job when those of the same room that came before it are over. */
  afterOthers<T>(roomId: string, job: () => Promise<T>): Promise<T>;
  /** The handler of `rooms.run-room-work`. */
  run(work: number): Promise<void>;
}

/**
 * Makes the room work of one life of the actor.
 *
 * @param self the rooms actor's own address
 */
export function createRoomWork(self: ActorRef<RoomsProtocol>, clock: Clock, ended: AbortSignal): RoomWork {
  const waiting = new Map<number, () => Promise<void>>();
  const lastOf = new Map<string, Promise<unknown>>();
  let count = 0;

  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = clock.after(MAILBOX_RETRY_MS, resolve);
      ended.addEventListener('abort', () => clock.cancel(timer), { once: true });
    });

  return {
    async inTurn<T>(roomId: string, slice: () => Promise<T>): Promise<T | Refusal> {
      count += 1;
      const work = count;
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      waiting.set(work, async () => {
        try {
          resolve(await slice());
        } catch (error) {
          // Whoever waits for the slice crashes the actor: the turn itself has nothing more to say.
          reject(error);
        }
      });
      for (;;) {
        const outcome = self.tell('rooms.run-room-work', { roomId, work });
        if (outcome === 'sent') return promise;
        if (outcome === 'stopped') {
          waiting.delete(work);
          return refuse('M_UNKNOWN', 'the server is stopping: ask again, and it goes on', { status: 503 });
        }
        await pause();
      }
    },
    async afterOthers(roomId, job) {
      const before = lastOf.get(roomId) ?? Promise.resolve();
      const mine = before.then(job, job);
      lastOf.set(roomId, mine);
      try {
        return await mine;
      } finally {
        if (lastOf.get(roomId) === mine) lastOf.delete(roomId);
      }
    },
    async run(work) {
      const slice = waiting.get(work);
      waiting.delete(work);
      await slice?.();
    },
  };
}
