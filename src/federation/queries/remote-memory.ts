import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kit/clock.ts';

/** Questions that are under way at once, for one kind of answer on one thread. */
export const QUESTIONS_AT_ONCE_MAX = 200;

/** What is remembered of other servers' answers. */
export interface RemoteMemory<Value> {
  /**
   * Gives what is remembered, or asks. The same question asked by several at one moment is asked once.
   *
   * @returns undefined when too much is being asked already
   */
  find(key: string, ask: () => Promise<Remembered<Value>>): Promise<Value | undefined>;
}

/** An answer and for how long it is good. */
export interface Remembered<Value> {
  readonly value: Value;
  /** About what it takes in memory, in characters; at least 1. */
  readonly characters: number;
  /** In milliseconds; 0 for what is not to be remembered. */
  readonly lifetimeMs: number;
}

interface Entry<Value> {
  readonly value: Value;
  readonly characters: number;
  /** Monotonic milliseconds. */
  readonly untilMs: number;
}

/** @param charactersMax what all that is remembered may take */
export function createRemoteMemory<Value>(clock: Clock, charactersMax: number): RemoteMemory<Value> {
  const entries = new LRUCache<string, Entry<Value>>({
    maxSize: charactersMax,
    sizeCalculation: (entry, key) => entry.characters + key.length,
  });
  const underWay = new Map<string, Promise<Value>>();

  async function askAndKeep(key: string, ask: () => Promise<Remembered<Value>>): Promise<Value> {
    const { value, characters, lifetimeMs } = await ask();
    if (lifetimeMs > 0)
      entries.set(key, {
        value,
        characters: Math.max(1, characters),
        untilMs: clock.monotonic() + lifetimeMs,
      });
    return value;
  }

  return {
    find(key, ask) {
      const entry = entries.get(key);
      if (entry !== undefined && clock.monotonic() < entry.untilMs) return Promise.resolve(entry.value);
      const running = underWay.get(key);
      if (running !== undefined) return running;
      if (underWay.size >= QUESTIONS_AT_ONCE_MAX) return Promise.resolve(undefined);
      const asking = askAndKeep(key, ask).finally(() => underWay.delete(key));
      underWay.set(key, asking);
      return asking;
    },
  };
}
