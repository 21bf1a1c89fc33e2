import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

export const failOverdueMessages = defineQuery<{ readonly now: number; readonly error: string }>({
  name: 'delayed-events.fail-overdue-messages',
  sql: `
    UPDATE delayed_events
       SET due_ts = NULL, finalised_ts = :now, outcome = 'failed', reason = 'delay', error = :error
     WHERE due_ts <= :now AND state_key IS NULL`,
});

/**
 * The step that sends no message whose time has passed by a restore: nobody can know whether it was sent since the backup, and twice is worse than
 * what its sender sees, that it has failed. State is sent, since the same state twice does no harm, and a call that is left late is left. MSC4140.
 *
 * @param now milliseconds since the Unix epoch
 * @param error the body of a refusal, JSON text
 */
export function failOverdue(now: number, error: string): WriteStep[] {
  return [step(failOverdueMessages, { now, error })];
}
