import { type LogPage, readLatestPage } from '../kit/page.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A row of the receipts stream. */
export type ReceiptsRow = {
  readonly roomId: string;
  readonly userId: string;
  readonly type: string;
  readonly eventId: string;
  /** Null for an unthreaded receipt. */
  readonly threadId: string | null;
  readonly ts: number;
};

type Range = { readonly from: number; readonly to: number; readonly limit: number };

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<Range, ReceiptsRow & { readonly position: number }>({
  name: 'receipts.read-stream-rows',
  sql: `
    SELECT p.stream_id AS position, r.room_id AS roomId, u.user_id AS userId, p.type, p.event_id AS eventId,
           nullif(p.thread_id, '') AS threadId, p.ts
      FROM receipts p
      JOIN rooms r ON r.room_nid = p.room_nid
      JOIN user_ids u ON u.user_nid = p.user_nid
     WHERE p.stream_id > :from AND p.stream_id <= :to
     ORDER BY p.stream_id LIMIT :limit`,
});

/** A page of the receipts stream. */
export function readReceiptRows(
  db: ReadDb,
  from: number,
  to: number,
  limit: number,
): Promise<LogPage<ReceiptsRow>> {
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
