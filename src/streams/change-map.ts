import type { WakeKey } from './stream.ts';

/** How many wake keys a stream remembers on one thread; the one that changed longest ago makes room. */
export const CHANGED_KEYS_MAX = 100_000;

/** Remembers where each wake key last changed. What it has forgotten counts as changed. */
export interface ChangeMap {
  /** `key` changed at `position`, which is not below any before. */
  record(key: WakeKey, position: number): void;
  /** False only when nothing with `key` happened after `position`. */
  mayHaveChanged(key: WakeKey, position: number): boolean;
  /** Where something with `key` happened last; undefined when that is not known. */
  lastChange(key: WakeKey): number | undefined;
  /** Forgets everything; what is after `floor` counts as unchanged from now on. */
  restart(floor: number): void;
}

/**
 * Makes a map that knows everything after `floor`.
 *
 * @param keysMax {@link CHANGED_KEYS_MAX} when absent
 */
export function createChangeMap(floor: number, keysMax: number = CHANGED_KEYS_MAX): ChangeMap {
  let knownAfter = floor;
  // In order of the last change: the first key is the one to forget.
  const changedAt = new Map<WakeKey, number>();
  return {
    record(key, position) {
      changedAt.delete(key);
      changedAt.set(key, position);
      if (changedAt.size <= keysMax) return;
      const [oldest] = changedAt;
      if (oldest === undefined) return;
      changedAt.delete(oldest[0]);
      knownAfter = Math.max(knownAfter, oldest[1]);
    },
    mayHaveChanged(key, position) {
      if (position < knownAfter) return true;
      const last = Math.max(changedAt.get(key) ?? -Infinity, changedAt.get('everyone') ?? -Infinity);
      return last > position;
    },
    lastChange(key) {
      const everyone = changedAt.get('everyone');
      const last = changedAt.get(key);
      return last === undefined || everyone === undefined ? last : Math.max(last, everyone);
    },
    restart(from) {
      changedAt.clear();
      knownAfter = from;
    },
  };
}
