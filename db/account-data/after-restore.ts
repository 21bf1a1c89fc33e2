import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** More filters than a user makes between a backup and its restore. */
export const FILTERS_SKIPPED = 1_000_000;

export const skipFilterIds = defineQuery<{ readonly skipped: number; readonly now: number }>({
  name: 'account-data.skip-filter-ids',
  sql: `
    INSERT INTO filters (user_id, filter_id, hash, filter)
    SELECT a.user_id, CAST(:skipped AS INTEGER) + coalesce((SELECT max(f.filter_id) FROM filters f WHERE f.user_id = a.user_id), 0),
           'restored at ' || CAST(:now AS INTEGER), '{}'
      FROM accounts a`,
  // Once, while no server runs.
  scans: ['accounts'],
});

/** The step that keeps the ids of filters which were lost from being given to others: a filter of nothing, with a higher id, for each user. */
export function skipFilters(now: number): WriteStep[] {
  return [step(skipFilterIds, { skipped: FILTERS_SKIPPED, now })];
}
