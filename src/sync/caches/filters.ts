import { findFilter, oneFilter } from '../../../db/account-data/reader.ts';
import { defineCache } from '../../streams/cache.ts';
import type { JsonObject } from '../../kit/json.ts';
import { isRefusal } from '../../matrix/refusal.ts';
import type { SyncFilter } from '../../matrix/sync-filter.ts';
import { parseSyncFilter } from '../../matrix/sync-filter-parse.ts';

const FILTERS_MAX = 10_000;

/** The key of a stored filter. */
export function filterKey(userId: string, filterId: string): string {
  return `${filterId} ${userId}`;
}

/** Stored filters, parsed; null for one that does not exist. */
export const filtersCache = defineCache<string, SyncFilter | null>({
  name: 'filters',
  sizeMax: FILTERS_MAX,
  async load(db, key) {
    const space = key.indexOf(' ');
    const filterId = Number(key.slice(0, space));
    if (!Number.isSafeInteger(filterId)) return null;
    const text = await findFilter(db, key.slice(space + 1), filterId);
    if (text === undefined) return null;
    const filter = parseSyncFilter(JSON.parse(text) as JsonObject);
    return isRefusal(filter) ? null : filter;
  },
  reads: [oneFilter],
  keeps: (filter) => filter !== null,
  dependsOn: {
    filter: (fact) => [filterKey(fact.userId, fact.filterId)],
  },
});
