import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

type OfUserInRoom = { readonly roomId: string; readonly userId: string };

/** A notification of one user, as counts see it. */
export interface CountedNotification {
  /** Of its event, on the events stream. */
  readonly place: number;
  /** The root of its thread, or `main`. */
  readonly threadId: string;
  readonly isHighlight: number;
}

/** Up to where a user has read a thread. */
export interface ReadMark {
  /** `''`: all threads. */
  readonly threadId: string;
  /** On the events stream. */
  readonly place: number;
}

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';
const USER_NID = '(SELECT user_nid FROM user_ids WHERE user_id = :userId)';

export const readMarksQuery = defineQuery<OfUserInRoom, ReadMark>({
  name: 'push.read-marks',
  sql: `
    SELECT p.thread_id AS threadId, e.stream_ordering AS place
      FROM receipts p JOIN events e ON e.event_id = p.event_id AND e.stream_ordering IS NOT NULL
     WHERE p.room_nid = ${ROOM_NID} AND p.user_nid = ${USER_NID} AND p.type IN ('m.read', 'm.read.private')
    UNION ALL
    SELECT thread_id, place FROM own_events WHERE room_nid = ${ROOM_NID} AND user_nid = ${USER_NID}`,
});

export const readCountedQuery = defineQuery<
  OfUserInRoom & { readonly from: number; readonly to: number; readonly limit: number },
  CountedNotification
>({
  name: 'push.read-counted-notifications',
  sql: `
    SELECT n.place, n.thread_id AS threadId, n.is_highlight AS isHighlight
      FROM notifications n
      JOIN events e ON e.stream_ordering = n.place AND e.redacted_by IS NULL
     WHERE n.room_nid = ${ROOM_NID} AND n.user_nid = ${USER_NID} AND n.place > :from AND n.place <= :to
     ORDER BY n.place DESC LIMIT :limit`,
});

export const readJoinedQuery = defineQuery<
  { readonly userId: string },
  { readonly roomId: string; readonly since: number }
>({
  name: 'push.read-rooms-with-notifications',
  sql: `
    SELECT r.room_id AS roomId, m.position AS since
      FROM local_memberships m
      JOIN rooms r ON r.room_nid = m.room_nid
     WHERE m.user_nid = ${USER_NID} AND m.membership = 'join'
       AND EXISTS (SELECT 1 FROM notifications n
                    WHERE n.room_nid = m.room_nid AND n.user_nid = m.user_nid AND n.place > m.position)`,
});

/** Up to where a user has read a room, by receipts and by own events; several of one thread may be there. */
export function readReadMarks(db: ReadDb, of: OfUserInRoom): Promise<ReadMark[]> {
  return db.all(readMarksQuery, of);
}

/** The newest notifications of a user in a room with `from < place <= to`, newest first, at most `limit`; none of redacted events. */
export function readCountedNotifications(
  db: ReadDb,
  range: OfUserInRoom & { readonly from: number; readonly to: number; readonly limit: number },
): Promise<CountedNotification[]> {
  return db.all(readCountedQuery, range);
}

/** The rooms that a user has joined and was notified of since then, with the position at which the user joined. */
export function readRoomsWithNotifications(
  db: ReadDb,
  userId: string,
): Promise<{ readonly roomId: string; readonly since: number }[]> {
  return db.all(readJoinedQuery, { userId });
}
