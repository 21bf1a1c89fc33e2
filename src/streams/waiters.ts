import type { Clock, Timer } from '../kit/clock.ts';
import type { Counter, Gauge } from '../kit/metrics.ts';

/** How many replies wait for one stream on one thread at most; the next one goes unseen at once, and is counted. */
export const WAITERS_MAX = 10_000;

/** Replies that wait until a stream has reached a position. */
export interface Waiters {
  /** Resolves with true when released, with false after `timeoutMs`. */
  wait(position: number, epoch: number | null, timeoutMs: number): Promise<boolean>;
  /** Releases all that wait for `position` of `epoch` or before. */
  release(position: number, epoch: number): void;
  /** Lets everybody go unseen. */
  close(): void;
}

interface Waiter {
  readonly position: number;
  /** Null: whichever epoch. */
  readonly epoch: number | null;
  readonly timer: Timer;
  readonly resolve: (isReached: boolean) => void;
}

/** Makes an empty set of waiters. */
export function createWaiters(clock: Clock, waiting: Gauge, timedOut: Counter): Waiters {
  const waiters = new Set<Waiter>();
  const end = (waiter: Waiter, isReached: boolean): void => {
    if (!waiters.delete(waiter)) return;
    clock.cancel(waiter.timer);
    waiting.set(waiters.size);
    if (!isReached) timedOut.add();
    waiter.resolve(isReached);
  };
  return {
    wait(position, epoch, timeoutMs) {
      if (waiters.size >= WAITERS_MAX) {
        timedOut.add();
        return Promise.resolve(false);
      }
      return new Promise((resolve) => {
        const timer = clock.after(timeoutMs, () => end(waiter, false));
        const waiter: Waiter = { position, epoch, timer, resolve };
        waiters.add(waiter);
        waiting.set(waiters.size);
      });
    },
    release(position, epoch) {
      for (const waiter of waiters)
        if (waiter.position <= position && (waiter.epoch ?? epoch) === epoch) end(waiter, true);
    },
    close() {
      for (const waiter of waiters) end(waiter, false);
    },
  };
}
