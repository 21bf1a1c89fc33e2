import { type LogPage, readLatestPage } from '../kit/page.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A row of the thread-subscriptions stream. */
export type ThreadSubscriptionsRow = {
  readonly userId: string;
  readonly roomId: string;
  readonly rootId: string;
};

type Range = { readonly from: number; readonly to: number; readonly limit: number };

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<Range, ThreadSubscriptionsRow & { readonly position: number }>({
  name: 'thread-subscriptions.read-stream-rows',
  sql: `
    SELECT stream_id AS position, user_id AS userId, room_id AS roomId, root_id AS rootId
      FROM thread_subscriptions
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** A page of the thread-subscriptions stream. */
export function readThreadSubscriptionRows(
  db: ReadDb,
  from: number,
  to: number,
  limit: number,
): Promise<LogPage<ThreadSubscriptionsRow>> {
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
