import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** One account data event. */
export interface StoredAccountData {
  /** Null for global account data. */
  readonly roomId: string | null;
  readonly type: string;
  /** JSON text of the content. */
  readonly content: string;
  /** Its position on the account-data stream. */
  readonly position: number;
}

/**
 * True for account data that was deleted: what has no content is there no more, but that clients that were away have to be told. Older
 * clients delete by setting it to `{}`. MSC3391.
 */
export function isDeleted({ content }: Pick<StoredAccountData, 'content'>): boolean {
  return content === '{}';
}

export const oneEvent = defineQuery<
  { readonly userId: string; readonly roomId: string; readonly type: string },
  StoredAccountData
>({
  name: 'account-data.find-one',
  sql: `
    SELECT nullif(room_id, '') AS roomId, type, content, stream_id AS position
      FROM account_data
     WHERE user_id = :userId AND room_id = :roomId AND type = :type`,
});

/**
 * One account data event of a user.
 *
 * @param roomId null for global account data
 */
export function findAccountData(
  db: ReadDb,
  userId: string,
  roomId: string | null,
  type: string,
): Promise<StoredAccountData | undefined> {
  return db.find(oneEvent, { userId, roomId: roomId ?? '', type });
}

export const changedEvents = defineQuery<
  { readonly userId: string; readonly from: number; readonly to: number },
  StoredAccountData
>({
  name: 'account-data.read-changed',
  sql: `
    SELECT nullif(room_id, '') AS roomId, type, content, stream_id AS position
      FROM account_data
     WHERE user_id = :userId AND stream_id > :from AND stream_id <= :to
     ORDER BY stream_id`,
});

/** A user's account data that was set in (from, to] of the account-data stream; from 0 gives all of it. */
export function readAccountDataChanges(
  db: ReadDb,
  userId: string,
  from: number,
  to: number,
): Promise<StoredAccountData[]> {
  return db.all(changedEvents, { userId, from, to });
}

export const eventsOfRoom = defineQuery<
  { readonly userId: string; readonly roomId: string; readonly to: number },
  StoredAccountData
>({
  name: 'account-data.read-of-room',
  sql: `
    SELECT room_id AS roomId, type, content, stream_id AS position
      FROM account_data
     WHERE user_id = :userId AND room_id = :roomId AND stream_id <= :to
     ORDER BY stream_id`,
});

/** All account data that a user has for a room, as far as it was set at or before `to` on the account-data stream. */
export function readAccountDataOfRoom(
  db: ReadDb,
  userId: string,
  roomId: string,
  to: number,
): Promise<StoredAccountData[]> {
  return db.all(eventsOfRoom, { userId, roomId, to });
}

export const oneFilter = defineQuery<
  { readonly userId: string; readonly filterId: number },
  { readonly filter: string }
>({
  name: 'account-data.find-filter',
  sql: 'SELECT filter FROM filters WHERE user_id = :userId AND filter_id = :filterId',
});

/** The JSON text of a stored filter. */
export async function findFilter(db: ReadDb, userId: string, filterId: number): Promise<string | undefined> {
  const row = await db.find(oneFilter, { userId, filterId });
  return row?.filter;
}
