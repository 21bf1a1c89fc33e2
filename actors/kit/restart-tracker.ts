import { backoffMs } from '../../src/kit/backoff.ts';
import type { Clock, Milliseconds } from '../../src/kit/clock.ts';
import type { Random } from '../../src/kit/random.ts';
import type { RestartPolicy } from './supervision-tree.ts';

/** Counts the failures of one actor or thread against its policy. */
export interface RestartTracker {
  /** Counts a failure. Gives the wait before the restart, in milliseconds, or `over-limit`. */
  failed(): Milliseconds | 'over-limit';
  /** Forgets what was counted. */
  reset(): void;
}

export function createRestartTracker(policy: RestartPolicy, clock: Clock, random: Random): RestartTracker {
  let failures: Milliseconds[] = [];
  return {
    failed() {
      const now = clock.monotonic();
      failures = failures.filter((failedAt) => now - failedAt < policy.windowMs);
      if (failures.length >= policy.max) return 'over-limit';
      failures.push(now);
      return backoffMs(policy.backoff, failures.length, random);
    },
    reset() {
      failures = [];
    },
  };
}
