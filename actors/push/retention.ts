import { findNextUserWithNotifications } from '../../db/push/notification-reader.ts';
import { pruneNotifications } from '../../db/push/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import type { Timer } from '../../src/kit/clock.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';

/** How long notifications are kept. */
export const NOTIFICATION_AGE_MAX_MS = 30 * 24 * 60 * 60 * 1_000;
/** Notifications of one user that are kept. */
export const NOTIFICATIONS_PER_USER_MAX = 50_000;
/** How often some users' notifications are looked through, and of how many users. */
export const PRUNE_INTERVAL_MS = 60_000;
const USERS_PER_PRUNE = 20;
/** Rows that one user loses at one time. */
const PRUNED_ROWS_MAX = 1_000;

/** Lets go of old notifications, of a few users at a time and of all of them in turn. */
export function pruneRegularly(context: TroupeContext): void {
  const { clock, env } = context;
  let after = 0;
  let timer: Timer;

  async function prune(): Promise<void> {
    const steps: WriteStep[] = [];
    const beforeTs = clock.now() - NOTIFICATION_AGE_MAX_MS;
    for (let users = 0; users < USERS_PER_PRUNE; users += 1) {
      const userNid = await findNextUserWithNotifications(env.db, after);
      after = userNid ?? 0;
      if (userNid === null) break;
      const limits = { keep: NOTIFICATIONS_PER_USER_MAX, limit: PRUNED_ROWS_MAX };
      steps.push(...pruneNotifications({ userNid, beforeTs, ...limits }));
    }
    // What cannot be written now has its turn again.
    if (steps.length > 0) await commit(context, steps);
  }

  async function tick(): Promise<void> {
    try {
      await prune();
      if (!context.ended.aborted) timer = clock.after(PRUNE_INTERVAL_MS, () => void tick());
    } catch (error) {
      if (!context.ended.aborted) context.crash(error);
    }
  }

  timer = clock.after(PRUNE_INTERVAL_MS, () => void tick());
  context.ended.addEventListener('abort', () => clock.cancel(timer));
}
