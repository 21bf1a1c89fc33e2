import type { Milliseconds } from '../kit/clock.ts';

/**
 * By how many positions a restore from a backup moves every stream on, at least: what was given out since the backup is lost, and never means
 * anything else. No server gives out as many between two syncs of one client.
 */
const SKIPPED_MIN = 10_000_000_000;
/** More positions than any server gives out. */
const SKIPPED_PER_MS = 1_000;

/**
 * How far a stream jumps when it is restored from a backup of that age.
 *
 * @param ageMs from the backup to its restore; wrong clocks may make it negative
 */
export function positionsToSkip(ageMs: Milliseconds): number {
  return SKIPPED_MIN + Math.max(0, Math.ceil(ageMs)) * SKIPPED_PER_MS;
}

/** Was there a restore between the two? Then what the client has is not what is here. */
export function isFromBeforeRestore(position: number, now: number): boolean {
  return now - position >= SKIPPED_MIN / 2;
}
