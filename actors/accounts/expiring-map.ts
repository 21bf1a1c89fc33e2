import type { Clock, Milliseconds } from '../../src/kit/clock.ts';

/** Entries that live for a while. The oldest makes room when it is full. */
export interface ExpiringMap<Value> {
  /** An entry that has not expired. */
  find(key: string): Value | undefined;
  /** Adds an entry, or gives one a new life. */
  set(key: string, value: Value): void;
  /** Removes an entry. True when there was one that had not expired. */
  take(key: string): boolean;
  /** All that have not expired. */
  values(): Iterable<Value>;
}

/**
 * Makes a map in which each entry lives for `lifetimeMs` after it was last set, and at most `entriesMax` do.
 */
export function createExpiringMap<Value>(
  clock: Clock,
  lifetimeMs: Milliseconds,
  entriesMax: number,
): ExpiringMap<Value> {
  // In the order in which they expire, because all live equally long.
  const entries = new Map<string, { readonly value: Value; readonly endsAt: Milliseconds }>();

  const dropExpired = (): void => {
    const now = clock.monotonic();
    for (const [key, entry] of entries) {
      if (entry.endsAt > now) return;
      entries.delete(key);
    }
  };

  return {
    find(key) {
      dropExpired();
      return entries.get(key)?.value;
    },
    set(key, value) {
      dropExpired();
      entries.delete(key);
      const [oldest] = entries.keys();
      if (entries.size >= entriesMax && oldest !== undefined) entries.delete(oldest);
      entries.set(key, { value, endsAt: clock.monotonic() + lifetimeMs });
    },
    take(key) {
      dropExpired();
      return entries.delete(key);
    },
    values() {
      dropExpired();
      return Array.from(entries.values(), ({ value }) => value);
    },
  };
}
