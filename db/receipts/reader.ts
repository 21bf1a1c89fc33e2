import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A receipt as it stands. */
export interface StoredReceipt {
  readonly userId: string;
  readonly type: string;
  /** Null for an unthreaded receipt. */
  readonly threadId: string | null;
  readonly eventId: string;
  /** When it was sent, milliseconds since the epoch. */
  readonly ts: number;
  /** Its position on the receipts stream. */
  readonly position: number;
}

type PlaceParams = {
  readonly roomId: string;
  readonly userId: string;
  readonly type: string;
  readonly threadId: string;
  readonly eventId: string;
};

/** Where the event of a new receipt stands in its room's timeline, and where that of the present receipt does. */
export const placeOfReceipt = defineQuery<
  PlaceParams,
  { readonly next: number; readonly present: number | null; readonly presentEventId: string | null }
>({
  name: 'receipts.place-of-receipt',
  sql: `
    SELECT e.stream_ordering AS next, was.stream_ordering AS present, p.event_id AS presentEventId
      FROM rooms r
      JOIN events e ON e.event_id = :eventId AND e.room_nid = r.room_nid AND e.stream_ordering IS NOT NULL
                   AND e.rejection IS NULL
      LEFT JOIN user_ids u ON u.user_id = :userId
      LEFT JOIN receipts p ON p.room_nid = r.room_nid AND p.user_nid = u.user_nid
                          AND p.type = :type AND p.thread_id = :threadId
      LEFT JOIN events was ON was.event_id = p.event_id
     WHERE r.room_id = :roomId`,
});

/**
 * Compares a new receipt with the one that stands.
 *
 * @param receipt `threadId` is `''` for an unthreaded receipt
 * @returns undefined when the event is not in the room's timeline; otherwise whether the receipt moves forward
 */
export async function findReceiptPlace(
  db: ReadDb,
  receipt: PlaceParams,
): Promise<{ readonly isForward: boolean } | undefined> {
  const place = await db.find(placeOfReceipt, receipt);
  if (place === undefined) return undefined;
  return { isForward: place.present === null || place.next > place.present };
}

export const eventOfReceipt = defineQuery<Omit<PlaceParams, 'eventId'>, { readonly eventId: string }>({
  name: 'receipts.event-of-receipt',
  sql: `
    SELECT p.event_id AS eventId
      FROM rooms r
      JOIN user_ids u ON u.user_id = :userId
      JOIN receipts p ON p.room_nid = r.room_nid AND p.user_nid = u.user_nid
                     AND p.type = :type AND p.thread_id = :threadId
     WHERE r.room_id = :roomId`,
});

/** The event up to which a user has read, known or not; undefined where there is no receipt. `threadId` is `''` for an unthreaded one. */
export async function findReceiptEvent(
  db: ReadDb,
  { roomId, userId, type, threadId }: Omit<PlaceParams, 'eventId'>,
): Promise<string | undefined> {
  return (await db.find(eventOfReceipt, { roomId, userId, type, threadId }))?.eventId;
}

export const receiptsOfRoom = defineQuery<
  { readonly roomId: string; readonly from: number; readonly to: number },
  StoredReceipt
>({
  name: 'receipts.read-of-room',
  // Of an event that is not known here anybody may say that it was read; of one that no client is shown nothing is said.
  sql: `
    SELECT u.user_id AS userId, p.type, nullif(p.thread_id, '') AS threadId, p.event_id AS eventId, p.ts,
           p.stream_id AS position
      FROM rooms r
      JOIN receipts p ON p.room_nid = r.room_nid AND p.stream_id > :from AND p.stream_id <= :to
      JOIN user_ids u ON u.user_nid = p.user_nid
      LEFT JOIN events e ON e.event_id = p.event_id
     WHERE r.room_id = :roomId AND (e.event_nid IS NULL OR (e.stream_ordering IS NOT NULL AND e.rejection IS NULL))
     ORDER BY p.user_nid, p.type, p.thread_id`,
});

/** Receipts of a room that were set in (from, to] of the receipts stream, private ones of everybody included. */
export function readReceiptsOfRoom(
  db: ReadDb,
  roomId: string,
  from: number,
  to: number,
): Promise<StoredReceipt[]> {
  return db.all(receiptsOfRoom, { roomId, from, to });
}
