import { defineQuery } from '../kit/query.ts';
import { latestRowsReader, type StreamRange } from '../kit/stream-rows.ts';

/** A row of the account-data stream. */
export type AccountDataRow = {
  readonly userId: string;
  /** Null for global account data. */
  readonly roomId: string | null;
  readonly type: string;
};

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<StreamRange, AccountDataRow & { readonly position: number }>({
  name: 'account-data.read-stream-rows',
  sql: `
    SELECT stream_id AS position, user_id AS userId, nullif(room_id, '') AS roomId, type
      FROM account_data
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** A page of the account-data stream. */
export const readAccountDataRows = latestRowsReader(readStreamRows);
