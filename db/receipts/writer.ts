import { internUser } from '../interning/queries.ts';
import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type ReceiptParams = {
  readonly roomId: string;
  readonly userId: string;
  readonly type: string;
  readonly threadId: string;
  readonly eventId: string;
  readonly ts: number;
  readonly position: number;
};

/** Replaces a receipt. */
export const replaceReceipt = defineQuery<ReceiptParams>({
  name: 'receipts.replace-receipt',
  sql: `
    INSERT OR REPLACE INTO receipts (room_nid, user_nid, type, thread_id, event_id, ts, stream_id)
    SELECT r.room_nid, u.user_nid, :type, :threadId, :eventId, :ts, :position
      FROM rooms r JOIN user_ids u ON u.user_id = :userId
     WHERE r.room_id = :roomId`,
});

/** What a receipt takes beside its text, its index entry included, about. */
const RECEIPT_BYTES = 50;

/** Deletes some receipts of a room. */
export const deleteReceiptsOfRoom = defineQuery<
  { readonly roomNid: number; readonly limit: number },
  { readonly freedBytes: number }
>({
  name: 'receipts.delete-of-room',
  sql: `
    DELETE FROM receipts
     WHERE room_nid = :roomNid AND (user_nid, type, thread_id) IN (
       SELECT user_nid, type, thread_id FROM receipts WHERE room_nid = :roomNid LIMIT :limit)
    RETURNING octet_length(event_id) + ${RECEIPT_BYTES} AS freedBytes`,
});

/** The step that deletes at most `limit` receipts of a room; one row for each of them. */
export function forgetRoom(roomNid: number, limit: number): WriteStep[] {
  return [step(deleteReceiptsOfRoom, { roomNid, limit }, { returns: true })];
}

/**
 * The steps that store a receipt at the first position of their write set.
 *
 * @param receipt `threadId` is `''` for an unthreaded receipt; `ts` in milliseconds since the epoch
 */
export function storeReceipt(receipt: Omit<ReceiptParams, 'position'>): WriteStep[] {
  return [
    step(internUser, { userId: receipt.userId }),
    step(replaceReceipt, receipt, { positionOffset: 0, expectChanges: 1, refusal: 'no-such-room' }),
  ];
}
