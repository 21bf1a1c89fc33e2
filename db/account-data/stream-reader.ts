import { type LogPage, readLatestPage } from '../kit/page.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A row of the account-data stream. */
export type AccountDataRow = {
  readonly userId: string;
  /** Null for global account data. */
  readonly roomId: string | null;
  readonly type: string;
};

type Range = { readonly from: number; readonly to: number; readonly limit: number };

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<Range, AccountDataRow & { readonly position: number }>({
  name: 'account-data.read-stream-rows',
  sql: `
    SELECT stream_id AS position, user_id AS userId, nullif(room_id, '') AS roomId, type
      FROM account_data
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** A page of the account-data stream. */
export function readAccountDataRows(
  db: ReadDb,
  from: number,
  to: number,
  limit: number,
): Promise<LogPage<AccountDataRow>> {
  return readLatestPage(
    async (after, upTo, most) => {
      const rows = await db.all(readStreamRows, { from: after, to: upTo, limit: most });
      return rows.map(({ position, ...row }) => ({ position, row }));
    },
    from,
    to,
    limit,
  );
}
