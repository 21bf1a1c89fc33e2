import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import { countUnseenServers } from './hosts-reader.ts';

type OfRoom = { readonly roomId: string };

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';

/** The state events, all with an empty state key, that say what a room is. */
export const DESCRIBING_TYPES: readonly string[] = [
  'm.room.create',
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  'm.room.canonical_alias',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.encryption',
];

/** A state event of the present state, as it was signed. */
export interface StateEventText {
  readonly type: string;
  readonly stateKey: string;
  readonly eventId: string;
  /** JSON, not redacted, whatever `isRedacted` says. */
  readonly pdu: string;
  readonly isRedacted: boolean;
}

type StateEventRow = Omit<StateEventText, 'isRedacted'> & { readonly isRedacted: number };

export const findVersionOfRoom = defineQuery<OfRoom, { readonly roomVersion: string }>({
  name: 'rooms.directory-find-version',
  sql: 'SELECT room_version AS roomVersion FROM rooms WHERE room_id = :roomId',
});

export const readDescribingState = defineQuery<OfRoom, StateEventRow>({
  name: 'rooms.directory-read-describing-state',
  sql: `
    SELECT k.type, k.state_key AS stateKey, e.event_id AS eventId, e.pdu, e.redacted_by IS NOT NULL AS isRedacted
      FROM state_keys k
      CROSS JOIN current_state c ON c.room_nid = ${ROOM_NID} AND c.state_key_nid = k.state_key_nid
      CROSS JOIN events e ON e.event_nid = c.event_nid
     WHERE k.type IN (${DESCRIBING_TYPES.map((type) => `'${type}'`).join(', ')}) AND k.state_key = ''`,
});

export const readChildState = defineQuery<OfRoom, StateEventRow>({
  name: 'rooms.directory-read-children',
  sql: `
    SELECT k.type, k.state_key AS stateKey, e.event_id AS eventId, e.pdu, e.redacted_by IS NOT NULL AS isRedacted
      FROM current_state c
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid AND k.type = 'm.space.child'
      JOIN events e ON e.event_nid = c.event_nid
     WHERE c.room_nid = ${ROOM_NID}`,
});

export const countJoinedMembers = defineQuery<OfRoom, { readonly joined: number }>({
  name: 'rooms.directory-count-joined',
  sql: `
    SELECT count(*) AS joined FROM current_state c
     WHERE c.room_nid = ${ROOM_NID} AND c.membership = 'join'`,
});

export const readPublicRoomPage = defineQuery<
  { readonly after: string; readonly limit: number },
  { readonly roomId: string }
>({
  name: 'rooms.directory-read-public-rooms',
  sql: `
    SELECT room_id AS roomId FROM rooms
     WHERE is_public = 1 AND room_id > :after
     ORDER BY room_id LIMIT :limit`,
});

/** An event of a timeline with the time that its sender's server gave it. */
export interface TimedEvent {
  readonly eventId: string;
  /** In milliseconds since the Unix epoch. */
  readonly originServerTs: number;
  /** Its place in the timeline. */
  readonly position: number;
}

type TimedRange = OfRoom & { readonly ts: number; readonly position: number; readonly limit: number };

const timedEvents = (beyond: '>' | '<', order: 'ASC' | 'DESC'): string => `
    SELECT e.event_id AS eventId, e.origin_server_ts AS originServerTs, e.stream_ordering AS position
      FROM events e INDEXED BY events_by_time
     WHERE e.room_nid = ${ROOM_NID} AND (e.origin_server_ts, e.stream_ordering) ${beyond} (:ts, :position)
       AND e.stream_ordering IS NOT NULL AND e.rejection IS NULL
     ORDER BY e.origin_server_ts ${order}, e.stream_ordering ${order} LIMIT :limit`;

export const readEventsAfterTime = defineQuery<TimedRange, TimedEvent>({
  name: 'rooms.directory-read-events-after-time',
  sql: timedEvents('>', 'ASC'),
});

export const readEventsBeforeTime = defineQuery<TimedRange, TimedEvent>({
  name: 'rooms.directory-read-events-before-time',
  sql: timedEvents('<', 'DESC'),
});

export const readMutualRoomPage = defineQuery<
  { readonly userId: string; readonly otherUserId: string },
  { readonly roomId: string }
>({
  name: 'rooms.directory-read-mutual-rooms',
  sql: `
    SELECT r.room_id AS roomId
      FROM local_memberships m
      JOIN rooms r ON r.room_nid = m.room_nid
      JOIN current_state c ON c.room_nid = m.room_nid AND c.membership = 'join'
       AND c.state_key_nid = (SELECT state_key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key = :otherUserId)
     WHERE m.user_nid = (SELECT user_nid FROM user_ids WHERE user_id = :userId) AND m.membership = 'join'`,
});

/** Rooms that are read at once. */
const PUBLIC_ROOMS_PAGE = 1_000;

function toStateEvents(rows: readonly StateEventRow[]): readonly StateEventText[] {
  return rows.map((row) => ({ ...row, isRedacted: row.isRedacted === 1 }));
}

/** The version of a room; undefined for one that this server has never heard of. */
export async function findVersion(db: ReadDb, roomId: string): Promise<string | undefined> {
  return (await db.find(findVersionOfRoom, { roomId }))?.roomVersion;
}

/** The events of a room's present state that say what it is: those of {@link DESCRIBING_TYPES} that there are. */
export async function readDescription(db: ReadDb, roomId: string): Promise<readonly StateEventText[]> {
  return toStateEvents(await db.all(readDescribingState, { roomId }));
}

/** The `m.space.child` events of a room's present state, valid or not. */
export async function readChildren(db: ReadDb, roomId: string): Promise<readonly StateEventText[]> {
  return toStateEvents(await db.all(readChildState, { roomId }));
}

/** How many users are in a room, or at least are where not all members are known yet; 0 for an unknown one. */
export async function countJoined(db: ReadDb, roomId: string): Promise<number> {
  const { joined } = await db.get(countJoinedMembers, { roomId });
  return joined + (await countUnseenServers(db, roomId));
}

/** The ids of all rooms of the public directory, ascending. Cost: those rooms, however many others there are. */
export async function readPublicRoomIds(db: ReadDb): Promise<readonly string[]> {
  const roomIds: string[] = [];
  for (;;) {
    const page = await db.all(readPublicRoomPage, { after: roomIds.at(-1) ?? '', limit: PUBLIC_ROOMS_PAGE });
    roomIds.push(...page.map(({ roomId }) => roomId));
    if (page.length < PUBLIC_ROOMS_PAGE) return roomIds;
  }
}

/** The ids of the rooms that a local user and somebody else are in, ascending. Cost: the rooms of the local user. */
export async function readMutualRoomIds(
  db: ReadDb,
  userId: string,
  otherUserId: string,
): Promise<readonly string[]> {
  const rows = await db.all(readMutualRoomPage, { userId, otherUserId });
  return rows.map(({ roomId }) => roomId).toSorted();
}

/**
 * Events of a room's timeline by the time that their senders' servers gave them, the nearest first.
 *
 * @param from `ts` in milliseconds since the Unix epoch, and among events of one time their place; not included
 */
export function readEventsByTime(
  db: ReadDb,
  roomId: string,
  direction: 'forward' | 'backward',
  from: { readonly ts: number; readonly position: number },
  limit: number,
): Promise<readonly TimedEvent[]> {
  const query = direction === 'forward' ? readEventsAfterTime : readEventsBeforeTime;
  return db.all(query, { roomId, ...from, limit });
}
