import type { Clock, Timer } from '../../src/kit/clock.ts';

/** How many may wait for content at once; the next one is told at once that it is not there. */
export const CONTENT_WAITERS_MAX = 1_000;

export type Awaited = { readonly kind: 'uploaded' } | { readonly kind: 'not-yet' };

/** Those who wait for content that is to come. */
export interface ContentWaiters {
  /**
   * Resolves when the content arrives, or with `not-yet` after `timeoutMs` or when the waiter is stopped.
   *
   * @param waiter a name that nobody else has who waits for the same
   */
  wait(mediaId: string, waiter: string, timeoutMs: number): Promise<Awaited>;
  stop(mediaId: string, waiter: string): void;
  arrived(mediaId: string): void;
}

interface Waiter {
  readonly timer: Timer;
  readonly resolve: (outcome: Awaited) => void;
}

const NOT_YET: Awaited = { kind: 'not-yet' };

/** Makes an empty waiting room. */
export function createContentWaiters(clock: Clock): ContentWaiters {
  const waiting = new Map<string, Map<string, Waiter>>();
  let count = 0;

  const release = (mediaId: string, name: string, outcome: Awaited): void => {
    const those = waiting.get(mediaId);
    const waiter = those?.get(name);
    if (those === undefined || waiter === undefined) return;
    those.delete(name);
    if (those.size === 0) waiting.delete(mediaId);
    clock.cancel(waiter.timer);
    count -= 1;
    waiter.resolve(outcome);
  };

  return {
    wait(mediaId, name, timeoutMs) {
      const those = waiting.get(mediaId) ?? new Map<string, Waiter>();
      if (count >= CONTENT_WAITERS_MAX || timeoutMs <= 0 || those.has(name)) return Promise.resolve(NOT_YET);
      count += 1;
      waiting.set(mediaId, those);
      return new Promise((resolve) => {
        const timer = clock.after(timeoutMs, () => release(mediaId, name, NOT_YET));
        those.set(name, { timer, resolve });
      });
    },
    stop: (mediaId, name) => release(mediaId, name, NOT_YET),
    arrived(mediaId) {
      for (const name of waiting.get(mediaId)?.keys() ?? []) release(mediaId, name, { kind: 'uploaded' });
    },
  };
}
