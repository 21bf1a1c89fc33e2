import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import type { TimelineEntry } from './sync-reader.ts';

/** A sticky event that clients may be told of. */
export interface StickyEvent extends TimelineEntry {
  readonly roomId: string;
}

/** A sticky event that was not allowed at the state that was current then. */
export interface HiddenSticky {
  readonly eventNid: number;
  readonly eventId: string;
  readonly receivedFrom: string | null;
  readonly pdu: string;
}

const COLUMNS = `r.room_id AS roomId, e.event_id AS eventId, s.position, e.depth, e.state_group AS stateGroup,
           NULL AS stateType, NULL AS stateKey`;

const IS_SOFT_FAILED = "e.rejection >= 'soft-failed' AND e.rejection < 'soft-failee'";

export const readStickyEventsQuery = defineQuery<
  {
    readonly roomIds: string;
    readonly from: number;
    readonly to: number;
    readonly now: number;
    readonly limit: number;
  },
  StickyEvent
>({
  name: 'rooms.read-sticky-events',
  sql: `
    SELECT ${COLUMNS}
      FROM json_each(:roomIds) wanted
      CROSS JOIN rooms r ON r.room_id = wanted.value
      CROSS JOIN sticky_events s ON s.room_nid = r.room_nid AND s.position > :from AND s.position <= :to
      JOIN events e ON e.event_nid = s.event_nid
     WHERE s.expires_ts > :now
     ORDER BY s.position LIMIT :limit`,
  scans: ['wanted'],
});

export const readStickyRoomByRoomQuery = defineQuery<
  {
    readonly roomIds: string;
    readonly within: number;
    readonly to: number;
    readonly now: number;
    readonly limit: number;
  },
  StickyEvent
>({
  name: 'rooms.read-sticky-events-room-by-room',
  sql: `
    SELECT ${COLUMNS}
      FROM json_each(:roomIds) wanted
      CROSS JOIN rooms r ON r.room_id = wanted.value
      CROSS JOIN sticky_events s ON s.room_nid = r.room_nid
       AND s.position > CASE WHEN wanted.key = 0 THEN :within ELSE 0 END AND s.position <= :to
      JOIN events e ON e.event_nid = s.event_nid
     WHERE s.expires_ts > :now
     ORDER BY wanted.key, s.position LIMIT :limit`,
  scans: ['wanted'],
});

export const findStickyExpiryQuery = defineQuery<
  { readonly eventNid: number },
  { readonly expiresTs: number }
>({
  name: 'rooms.find-sticky-expiry',
  sql: 'SELECT expires_ts AS expiresTs FROM sticky_events WHERE event_nid = :eventNid',
});

export const readHiddenStickyQuery = defineQuery<
  { readonly roomId: string; readonly after: number; readonly now: number; readonly limit: number },
  HiddenSticky
>({
  name: 'rooms.read-hidden-sticky-events',
  sql: `
    SELECT e.event_nid AS eventNid, e.event_id AS eventId, e.received_from AS receivedFrom, e.pdu
      FROM sticky_events s INDEXED BY sticky_events_hidden
      JOIN events e ON e.event_nid = s.event_nid
     WHERE s.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId) AND s.position IS NULL
       AND s.event_nid > :after AND s.expires_ts > :now AND ${IS_SOFT_FAILED}
     ORDER BY s.event_nid LIMIT :limit`,
});

/** A sticky event that was made here. */
export interface OwnSticky {
  readonly eventId: string;
  /** Its place on the events stream. */
  readonly position: number;
}

export const readOwnStickyQuery = defineQuery<
  { readonly roomId: string; readonly now: number; readonly limit: number },
  OwnSticky
>({
  name: 'rooms.read-own-sticky-events',
  sql: `
    SELECT * FROM (
      SELECT e.event_id AS eventId, s.position
        FROM rooms r
        JOIN sticky_events s ON s.room_nid = r.room_nid AND s.position IS NOT NULL
        JOIN events e ON e.event_nid = s.event_nid
       WHERE r.room_id = :roomId AND s.expires_ts > :now AND e.received_from IS NULL
       ORDER BY s.position DESC LIMIT :limit)
     ORDER BY position LIMIT :limit`,
});

/** Living sticky events of a room that were made here, the newest, oldest first. `now`: milliseconds since the Unix epoch. */
export function readOwnSticky(
  db: ReadDb,
  question: { readonly roomId: string; readonly now: number; readonly limit: number },
): Promise<readonly OwnSticky[]> {
  return db.all(readOwnStickyQuery, question);
}

export const readRoomsOfHiddenSticky = defineQuery<
  { readonly now: number; readonly limit: number },
  { readonly roomId: string }
>({
  name: 'rooms.read-rooms-of-hidden-sticky-events',
  // Once per start.
  sql: `
    SELECT DISTINCT r.room_id AS roomId
      FROM sticky_events s INDEXED BY sticky_events_hidden
      JOIN rooms r ON r.room_nid = s.room_nid
     WHERE s.position IS NULL AND s.expires_ts > :now LIMIT :limit`,
  scans: ['sticky_events'],
});

/**
 * Living sticky events of rooms with `from < position <= to`, oldest first over all of them.
 *
 * @param now in milliseconds since the Unix epoch
 */
export async function readStickyEvents(
  db: ReadDb,
  roomIds: readonly string[],
  range: { readonly from: number; readonly to: number; readonly now: number },
  limit: number,
): Promise<readonly StickyEvent[]> {
  if (roomIds.length === 0) return [];
  return db.all(readStickyEventsQuery, { roomIds: JSON.stringify(roomIds), ...range, limit });
}

/**
 * Living sticky events of rooms up to `to`, one room after the other, oldest first in each; of the first room only those after `within`.
 *
 * @param now in milliseconds since the Unix epoch
 */
export async function readStickyRoomByRoom(
  db: ReadDb,
  roomIds: readonly string[],
  range: { readonly within: number; readonly to: number; readonly now: number },
  limit: number,
): Promise<readonly StickyEvent[]> {
  if (roomIds.length === 0) return [];
  return db.all(readStickyRoomByRoomQuery, { roomIds: JSON.stringify(roomIds), ...range, limit });
}

/** When an event stops being sticky, in milliseconds since the Unix epoch; null when it is not sticky (any more). */
export async function findStickyExpiry(db: ReadDb, eventNid: number): Promise<number | null> {
  return (await db.find(findStickyExpiryQuery, { eventNid }))?.expiresTs ?? null;
}

/** Living sticky events of a room that are soft-failed, of numbers above `after`, ascending. */
export function readHiddenSticky(
  db: ReadDb,
  question: { readonly roomId: string; readonly after: number; readonly now: number; readonly limit: number },
): Promise<readonly HiddenSticky[]> {
  return db.all(readHiddenStickyQuery, question);
}
