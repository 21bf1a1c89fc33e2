import { defineQuery } from '../kit/query.ts';
import { latestRowsReader, type StreamRange } from '../kit/stream-rows.ts';

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

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<StreamRange, ReceiptsRow & { readonly position: number }>({
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
export const readReceiptRows = latestRowsReader(readStreamRows);
