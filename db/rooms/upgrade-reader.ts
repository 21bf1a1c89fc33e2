import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import {
  type StoredEvent,
  type StoredEventRow,
  STORED_EVENT_COLUMNS,
  STORED_EVENT_JOINS,
  toStoredEvent,
} from './event-reader.ts';

type OfRoom = { readonly roomId: string };

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';

export const readNewestStateOfType = defineQuery<
  OfRoom & { readonly type: string; readonly limit: number },
  StoredEventRow
>({
  name: 'rooms.read-newest-state-of-type',
  sql: `
    SELECT ${STORED_EVENT_COLUMNS}
      FROM current_state c
      JOIN state_keys s ON s.state_key_nid = c.state_key_nid AND s.type = :type
      JOIN events e ON e.event_nid = c.event_nid ${STORED_EVENT_JOINS}
     WHERE c.room_nid = ${ROOM_NID}
     ORDER BY c.event_nid DESC LIMIT :limit`,
});

export const readNewestBansOfRoom = defineQuery<OfRoom & { readonly limit: number }, StoredEventRow>({
  name: 'rooms.read-newest-bans',
  sql: `
    SELECT ${STORED_EVENT_COLUMNS}
      FROM current_state c
      JOIN events e ON e.event_nid = c.event_nid ${STORED_EVENT_JOINS}
     WHERE c.room_nid = ${ROOM_NID} AND c.membership = 'ban'
     ORDER BY c.event_nid DESC LIMIT :limit`,
});

export const findJoinBefore = defineQuery<
  OfRoom & { readonly userId: string; readonly position: number },
  { readonly position: number }
>({
  name: 'rooms.find-join-before',
  sql: `
    SELECT e.stream_ordering AS position
      FROM events e
     WHERE e.state_key_nid = (SELECT state_key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key = :userId)
       AND e.stream_ordering < :position
       AND e.room_nid = ${ROOM_NID}
       AND e.rejection IS NULL
       AND json_extract(e.pdu, '$.content.membership') = 'join'
     LIMIT 1`,
});

/** The events of one type in a room's current state, the newest ones where there are too many; the oldest first. */
export async function readStateOfType(
  db: ReadDb,
  roomId: string,
  type: string,
  limit: number,
): Promise<readonly StoredEvent[]> {
  return (await db.all(readNewestStateOfType, { roomId, type, limit })).map(toStoredEvent).toReversed();
}

/** The member events of who is banned, the newest ones where there are too many; the oldest first. */
export async function readBans(db: ReadDb, roomId: string, limit: number): Promise<readonly StoredEvent[]> {
  return (await db.all(readNewestBansOfRoom, { roomId, limit })).map(toStoredEvent).toReversed();
}

/** Whether a user had joined a room before a position of the events stream. */
export async function hasJoinedBefore(
  db: ReadDb,
  roomId: string,
  userId: string,
  position: number,
): Promise<boolean> {
  return (await db.find(findJoinBefore, { roomId, userId, position })) !== undefined;
}
