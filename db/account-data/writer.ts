import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type AccountDataParams = {
  readonly userId: string;
  readonly roomId: string;
  readonly type: string;
  readonly content: string;
  readonly position: number;
};

/** Replaces one account data event. */
export const replaceAccountData = defineQuery<AccountDataParams>({
  name: 'account-data.replace',
  sql: `
    INSERT OR REPLACE INTO account_data (user_id, room_id, type, content, stream_id)
    VALUES (:userId, :roomId, :type, :content, :position)`,
});

/** The step that stores one account data event at the first position of its write set; `roomId` is `''` for global. */
export function storeAccountData(data: Omit<AccountDataParams, 'position'>): WriteStep[] {
  return [step(replaceAccountData, data, { positionOffset: 0 })];
}

type FilterParams = { readonly userId: string; readonly hash: string; readonly filter: string };

/** Filters that one user may have. */
export const FILTERS_MAX = 1_000;

/** Stores a filter under the user's next id, unless the same one is there, or there are too many. */
export const insertFilter = defineQuery<FilterParams & { readonly most: number }>({
  name: 'account-data.insert-filter',
  sql: `
    INSERT OR IGNORE INTO filters (user_id, filter_id, hash, filter)
    SELECT :userId, coalesce(max(filter_id), 0) + 1, :hash, :filter
      FROM filters WHERE user_id = :userId
    HAVING coalesce(max(filter_id), 0) < :most`,
});

/** The id of a filter by its hash. */
export const filterIdByHash = defineQuery<
  { readonly userId: string; readonly hash: string },
  { readonly filterId: number }
>({
  name: 'account-data.filter-id-by-hash',
  sql: 'SELECT filter_id AS filterId FROM filters WHERE user_id = :userId AND hash = :hash',
});

/** Step index of {@link storeFilter} whose returned row holds the `filterId`; no row: the user has {@link FILTERS_MAX} others. */
export const FILTER_ID_STEP = 1;

/** The steps that store a filter and give its id. */
export function storeFilter(filter: FilterParams): WriteStep[] {
  const { userId, hash } = filter;
  const insert = step(insertFilter, { ...filter, most: FILTERS_MAX });
  return [insert, step(filterIdByHash, { userId, hash }, { returns: true })];
}
