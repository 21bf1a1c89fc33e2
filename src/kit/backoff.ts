import type { Random } from './random.ts';

/** How waits grow from one failure to the next. */
export interface BackoffPolicy {
  /** The wait after the first failure, in milliseconds. */
  readonly initialMs: number;
  /** What each further failure multiplies the wait with, at least 1. */
  readonly factor: number;
  /** No wait is longer than this, in milliseconds. */
  readonly maxMs: number;
}

/** The share of a wait that jitter may take off, so that many who failed together do not come back together. */
const JITTER_SHARE = 0.2;
const JITTER_STEPS = 1024;

/**
 * How long to wait after the `failures`-th failure in a row, in milliseconds: exponential, capped, and shortened by up to a fifth at
 * random where a source of randomness is given.
 *
 * @param failures failures in a row so far, at least 1
 */
export function backoffMs(policy: BackoffPolicy, failures: number, random?: Random): number {
  const exponent = Math.max(0, failures - 1);
  const waitMs = Math.min(policy.maxMs, policy.initialMs * policy.factor ** exponent);
  if (random === undefined) return waitMs;
  return waitMs * (1 - (JITTER_SHARE * random.integer(JITTER_STEPS)) / JITTER_STEPS);
}
