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

/**
 * The step that stores one account data event; `roomId` is `''` for global.
 *
 * @param positionOffset which position of its write set it takes
 */
export function storeAccountData(data: Omit<AccountDataParams, 'position'>, positionOffset = 0): WriteStep[] {
  return [step(replaceAccountData, data, { positionOffset })];
}

/** What account data of a room takes beside its texts, its index entries included, about. */
const ROOM_DATA_BYTES = 60;

/** Deletes some account data of a room, of whatever user. */
export const deleteDataOfRoom = defineQuery<
  { readonly roomId: string; readonly limit: number },
  { readonly userId: string; readonly type: string; readonly freedBytes: number }
>({
  name: 'account-data.delete-of-room',
  sql: `
    DELETE FROM account_data
     WHERE (user_id, room_id, type) IN (
       SELECT user_id, room_id, type FROM account_data INDEXED BY account_data_by_room
        WHERE room_id = :roomId AND room_id <> '' LIMIT :limit)
    RETURNING user_id AS userId, type,
              octet_length(content) + 2 * octet_length(user_id || room_id) + octet_length(type) + ${ROOM_DATA_BYTES} AS freedBytes`,
});

/** The step that deletes at most `limit` account data events of a room; one row for each of them. */
export function forgetRoom(roomId: string, limit: number): WriteStep[] {
  return [step(deleteDataOfRoom, { roomId, limit }, { returns: true })];
}

/** Deletes some account data of a user. */
export const deleteDataOfUser = defineQuery<
  { readonly userId: string; readonly limit: number },
  { readonly roomId: string | null; readonly type: string }
>({
  name: 'account-data.delete-of-user',
  sql: `
    DELETE FROM account_data
     WHERE (user_id, room_id, type) IN (
       SELECT user_id, room_id, type FROM account_data WHERE user_id = :userId LIMIT :limit)
    RETURNING nullif(room_id, '') AS roomId, type`,
});

/** Deletes the filters of a user: there are at most {@link FILTERS_MAX}. */
export const deleteFiltersOfUser = defineQuery<{ readonly userId: string }>({
  name: 'account-data.delete-filters-of-user',
  sql: 'DELETE FROM filters WHERE user_id = :userId',
});

/** The steps that delete at most `limit` account data events of a user, one row for each of them, and the user's filters. */
export function forgetUser(userId: string, limit: number): WriteStep[] {
  return [
    step(deleteDataOfUser, { userId, limit }, { returns: true }),
    step(deleteFiltersOfUser, { userId }),
  ];
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
    HAVING count(*) < :most`,
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
