import { type LogPage, readLatestPage } from '../kit/page.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A row of the push stream: the pushers of a user have something to look at. */
export type PushRow = {
  readonly userId: string;
};

type Range = { readonly from: number; readonly to: number; readonly limit: number };

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<Range, PushRow & { readonly position: number }>({
  name: 'push.read-stream-rows',
  sql: `
    SELECT stream_id AS position, user_id AS userId
      FROM push_changes
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** A page of the push stream. */
export function readPushRows(db: ReadDb, from: number, to: number, limit: number): Promise<LogPage<PushRow>> {
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
