import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import type { RoomChange } from './stream-reader.ts';

/** A room that a local user is in or was in, as the newest commit has it. */
export interface RoomOfUser {
  readonly roomId: string;
  readonly membership: string;
  /** The member event. */
  readonly eventId: string;
  /** On the events stream: when the membership was written. */
  readonly position: number;
  /** Who wrote it: the inviter of an invite. */
  readonly sender: string;
  readonly isForgotten: boolean;
}

/**
 * A change of a membership: by a member event of a timeline, or without one (an invite of a room that this server is not in, state
 * resolution).
 */
export interface MemberChange {
  readonly roomId: string;
  readonly userId: string;
  /** Null when the membership was removed and no event says so. */
  readonly eventId: string | null;
  /** Of the member event; empty when there is none. */
  readonly sender: string;
  /** On the events stream. */
  readonly position: number;
  /** `removed` when there is no member event any more: the user is not in the room. */
  readonly membership: string;
}

/** An event of a timeline, without its content. */
export interface TimelineEntry {
  readonly eventId: string;
  /** Its place in the timeline, on the events stream; negative for history. */
  readonly position: number;
  readonly depth: number;
  readonly stateGroup: number | null;
  /** The type of its state entry; null for message events. */
  readonly stateType: string | null;
  readonly stateKey: string | null;
}

/** A change of one state entry. */
export interface PositionedStateChange {
  readonly type: string;
  readonly stateKey: string;
  /** On the events stream. */
  readonly position: number;
  /** Null: the entry is gone. */
  readonly eventId: string | null;
  /** False for a change without an event of the timeline at its position. */
  readonly isTimelineEvent: boolean;
}

type RoomRange = { readonly roomId: string; readonly from: number; readonly to: number };
type OfUser = { readonly userId: string };

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';

const MEMBER_KEY = `(SELECT state_key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key = :userId)`;

const memberColumns = (position: string): string => `
           e.event_id AS eventId, ${position} AS position, coalesce(json_extract(e.pdu, '$.sender'), '') AS sender,
           coalesce(json_extract(e.pdu, '$.content.membership'), 'removed') AS membership`;

/** By an event of the timeline. */
const BY_EVENT = memberColumns('e.stream_ordering');
/** By a row of `state_changes c`, whose event, if it has any, may stand in the timeline or not. */
const WITHOUT_EVENT = memberColumns('c.position');

export const readRoomsOfUserQuery = defineQuery<
  OfUser,
  Omit<RoomOfUser, 'isForgotten'> & { readonly isForgotten: number }
>({
  name: 'rooms.sync-rooms-of-user',
  sql: `
    SELECT r.room_id AS roomId, m.membership, e.event_id AS eventId, m.position, m.sender, m.is_forgotten AS isForgotten
      FROM local_memberships m
      JOIN rooms r ON r.room_nid = m.room_nid
      JOIN events e ON e.event_nid = m.event_nid
     WHERE m.user_nid = (SELECT user_nid FROM user_ids WHERE user_id = :userId)`,
});

export const readMemberChangesOfUserQuery = defineQuery<
  OfUser & { readonly from: number; readonly to: number },
  MemberChange
>({
  name: 'rooms.sync-member-changes-of-user',
  sql: `
    SELECT r.room_id AS roomId, :userId AS userId, ${BY_EVENT}
      FROM events e JOIN rooms r ON r.room_nid = e.room_nid
     WHERE e.state_key_nid = ${MEMBER_KEY}
       AND e.stream_ordering > :from AND e.stream_ordering <= :to AND e.rejection IS NULL
    UNION ALL
    SELECT r.room_id, :userId, ${WITHOUT_EVENT}
      FROM state_changes c JOIN rooms r ON r.room_nid = c.room_nid LEFT JOIN events e ON e.event_nid = c.event_nid
     WHERE c.state_key_nid = ${MEMBER_KEY} AND c.position > :from AND c.position <= :to
     ORDER BY 4`,
});

export const readMemberChangesOfUserInRoomQuery = defineQuery<OfUser & RoomRange, MemberChange>({
  name: 'rooms.sync-member-changes-of-user-in-room',
  sql: `
    SELECT :roomId AS roomId, :userId AS userId, ${BY_EVENT}
      FROM events e INDEXED BY events_by_state_key
     WHERE e.state_key_nid = ${MEMBER_KEY} AND e.room_nid = ${ROOM_NID}
       AND e.stream_ordering > :from AND e.stream_ordering <= :to AND e.rejection IS NULL
    UNION ALL
    SELECT :roomId, :userId, ${WITHOUT_EVENT}
      FROM state_changes c INDEXED BY state_changes_by_state_key LEFT JOIN events e ON e.event_nid = c.event_nid
     WHERE c.state_key_nid = ${MEMBER_KEY} AND c.room_nid = ${ROOM_NID}
       AND c.position > :from AND c.position <= :to
     ORDER BY 4`,
});

export const findMemberChangeAtQuery = defineQuery<
  OfUser & { readonly roomId: string; readonly at: number },
  MemberChange
>({
  name: 'rooms.sync-member-change-at',
  sql: `
    SELECT * FROM (
      SELECT :roomId AS roomId, :userId AS userId, ${BY_EVENT}
        FROM events e INDEXED BY events_by_state_key
       WHERE e.state_key_nid = ${MEMBER_KEY} AND e.room_nid = ${ROOM_NID}
         AND e.stream_ordering <= :at AND e.rejection IS NULL
       ORDER BY e.stream_ordering DESC LIMIT 1)
    UNION ALL
    SELECT * FROM (
      SELECT :roomId, :userId, ${WITHOUT_EVENT}
        FROM state_changes c INDEXED BY state_changes_by_state_key LEFT JOIN events e ON e.event_nid = c.event_nid
       WHERE c.state_key_nid = ${MEMBER_KEY} AND c.room_nid = ${ROOM_NID} AND c.position <= :at
       ORDER BY c.position DESC LIMIT 1)
    ORDER BY 4 DESC LIMIT 1`,
});

export const readMemberChangesOfRoomQuery = defineQuery<RoomRange, MemberChange>({
  name: 'rooms.sync-member-changes-of-room',
  sql: `
    SELECT :roomId AS roomId, k.state_key AS userId, ${BY_EVENT}
      FROM events e INDEXED BY events_by_state
      JOIN state_keys k ON k.state_key_nid = e.state_key_nid AND k.type = 'm.room.member'
     WHERE e.room_nid = ${ROOM_NID} AND e.state_key_nid IS NOT NULL
       AND e.stream_ordering > :from AND e.stream_ordering <= :to AND e.rejection IS NULL
    UNION ALL
    SELECT :roomId, k.state_key, ${WITHOUT_EVENT}
      FROM state_changes c
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid AND k.type = 'm.room.member'
      LEFT JOIN events e ON e.event_nid = c.event_nid
     WHERE c.room_nid = ${ROOM_NID} AND c.position > :from AND c.position <= :to
     ORDER BY 4`,
});

export const readRoomChangesQuery = defineQuery<
  RoomRange,
  { readonly position: number; readonly change: RoomChange }
>({
  name: 'rooms.sync-room-changes',
  sql: `
    SELECT position, change FROM room_changes
     WHERE room_id = :roomId AND position > :from AND position <= :to
     ORDER BY position`,
});

export const readTimelineEntriesQuery = defineQuery<RoomRange & { readonly limit: number }, TimelineEntry>({
  name: 'rooms.sync-timeline',
  sql: `
    SELECT e.event_id AS eventId, e.stream_ordering AS position, e.depth, e.state_group AS stateGroup,
           k.type AS stateType, k.state_key AS stateKey
      FROM events e LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     WHERE e.room_nid = ${ROOM_NID} AND e.stream_ordering > :from AND e.stream_ordering <= :to
       AND e.rejection IS NULL
     ORDER BY e.stream_ordering DESC LIMIT :limit`,
});

export const readPositionedStateChangesQuery = defineQuery<
  RoomRange,
  Omit<PositionedStateChange, 'isTimelineEvent'> & { readonly isTimelineEvent: number }
>({
  name: 'rooms.sync-state-changes',
  sql: `
    SELECT k.type, k.state_key AS stateKey, e.stream_ordering AS position, e.event_id AS eventId, 1 AS isTimelineEvent
      FROM events e INDEXED BY events_by_state
      JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     WHERE e.room_nid = ${ROOM_NID} AND e.state_key_nid IS NOT NULL
       AND e.stream_ordering > :from AND e.stream_ordering <= :to AND e.rejection IS NULL
    UNION ALL
    SELECT k.type, k.state_key, c.position, e.event_id, 0
      FROM state_changes c
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
      LEFT JOIN events e ON e.event_nid = c.event_nid
     WHERE c.room_nid = ${ROOM_NID} AND c.position > :from AND c.position <= :to
     ORDER BY 3`,
});

export const readSharedRoomsQuery = defineQuery<
  { readonly userIds: string; readonly roomIds: string },
  { readonly userId: string }
>({
  name: 'rooms.sync-users-that-share-rooms',
  sql: `
    SELECT wanted.value AS userId
      FROM json_each(:userIds) wanted
     WHERE EXISTS (
       SELECT 1
         FROM json_each(:roomIds) mine
         CROSS JOIN rooms r ON r.room_id = mine.value
         CROSS JOIN current_state c ON c.room_nid = r.room_nid
          AND c.state_key_nid = (SELECT state_key_nid FROM state_keys
                                  WHERE type = 'm.room.member' AND state_key = wanted.value)
        WHERE c.membership = 'join')`,
  scans: ['wanted', 'mine'],
});

/** Every room of a local user, forgotten ones included. */
export async function readRoomsOfUser(db: ReadDb, userId: string): Promise<RoomOfUser[]> {
  const rows = await db.all(readRoomsOfUserQuery, { userId });
  return rows.map((row) => ({ ...row, isForgotten: row.isForgotten === 1 }));
}

/** What changed a user's memberships with `from < position <= to`, over all rooms, ascending. */
export function readMemberChangesOfUser(
  db: ReadDb,
  userId: string,
  from: number,
  to: number,
): Promise<MemberChange[]> {
  return db.all(readMemberChangesOfUserQuery, { userId, from, to });
}

/** What changed a user's membership of one room with `from < position <= to`, ascending. */
export function readMemberChangesOfUserInRoom(
  db: ReadDb,
  userId: string,
  roomId: string,
  from: number,
  to: number,
): Promise<MemberChange[]> {
  return db.all(readMemberChangesOfUserInRoomQuery, { userId, roomId, from, to });
}

/** What last changed a user's membership of a room, at or before a position. */
export function findMemberChangeAt(
  db: ReadDb,
  userId: string,
  roomId: string,
  at: number,
): Promise<MemberChange | undefined> {
  return db.find(findMemberChangeAtQuery, { userId, roomId, at });
}

/** What changed memberships of a room with `from < position <= to`, ascending. */
export function readMemberChangesOfRoom(
  db: ReadDb,
  roomId: string,
  from: number,
  to: number,
): Promise<MemberChange[]> {
  return db.all(readMemberChangesOfRoomQuery, { roomId, from, to });
}

/** The newest accepted events of a room with `from < position <= to`, newest first, at most `limit`. */
export function readTimelineEntries(
  db: ReadDb,
  roomId: string,
  from: number,
  to: number,
  limit: number,
): Promise<TimelineEntry[]> {
  return db.all(readTimelineEntriesQuery, { roomId, from, to, limit });
}

/** Changes of a room's state with `from < position <= to`, ascending. */
export async function readPositionedStateChanges(
  db: ReadDb,
  roomId: string,
  from: number,
  to: number,
): Promise<PositionedStateChange[]> {
  const rows = await db.all(readPositionedStateChangesQuery, { roomId, from, to });
  return rows.map((row) => ({ ...row, isTimelineEvent: row.isTimelineEvent === 1 }));
}

/** What happened to a whole room with `from < position <= to`, ascending: when this server left it and came back, for example. */
export function readRoomChanges(
  db: ReadDb,
  roomId: string,
  from: number,
  to: number,
): Promise<{ readonly position: number; readonly change: RoomChange }[]> {
  return db.all(readRoomChangesQuery, { roomId, from, to });
}

/** Those of the users that have joined one of the rooms, by current state. */
export async function readUsersThatShareRooms(
  db: ReadDb,
  userIds: readonly string[],
  roomIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (userIds.length === 0 || roomIds.length === 0) return new Set();
  const rows = await db.all(readSharedRoomsQuery, {
    userIds: JSON.stringify(userIds),
    roomIds: JSON.stringify(roomIds),
  });
  return new Set(rows.map((row) => row.userId));
}
