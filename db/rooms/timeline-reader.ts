import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import {
  STORED_EVENT_COLUMNS,
  STORED_EVENT_JOINS,
  type StoredEvent,
  type StoredEventRow,
  toStoredEvent,
} from './event-reader.ts';

/** The place just after an event in the order of a room: by depth, then by position. */
export interface TopologicalPlace {
  readonly depth: number;
  readonly streamOrdering: number;
}

/** A piece of a timeline. */
export interface TimelinePage {
  readonly events: readonly StoredEvent[];
  /** Whether the range holds further events beyond the last one of `events`. */
  readonly hasMore: boolean;
}

/** Before everything, and after everything: bounds for {@link readTimelineBackward} and {@link readTimelineForward}. */
export const ROOM_START: TopologicalPlace = {
  depth: Number.MIN_SAFE_INTEGER,
  streamOrdering: Number.MIN_SAFE_INTEGER,
};
export const ROOM_END: TopologicalPlace = {
  depth: Number.MAX_SAFE_INTEGER,
  streamOrdering: Number.MAX_SAFE_INTEGER,
};

type StreamRange = {
  readonly roomId: string;
  readonly from: number;
  readonly to: number;
  readonly limit: number;
};

type TopologicalRange = {
  readonly roomId: string;
  readonly fromDepth: number;
  readonly fromOrdering: number;
  readonly toDepth: number;
  readonly toOrdering: number;
  readonly limit: number;
};

export const readLatestEvents = defineQuery<StreamRange, StoredEventRow>({
  name: 'rooms.read-latest-events',
  sql: `
    SELECT ${STORED_EVENT_COLUMNS}
      FROM events e ${STORED_EVENT_JOINS}
     WHERE e.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)
       AND e.stream_ordering > :from AND e.stream_ordering <= :to AND e.rejection IS NULL
     ORDER BY e.stream_ordering DESC LIMIT :limit`,
});

const topologicalRange = (order: 'ASC' | 'DESC'): string => `
    SELECT ${STORED_EVENT_COLUMNS}
      FROM events e ${STORED_EVENT_JOINS}
     WHERE e.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)
       AND (e.depth, e.stream_ordering) > (:fromDepth, :fromOrdering)
       AND (e.depth, e.stream_ordering) <= (:toDepth, :toOrdering)
       AND e.stream_ordering IS NOT NULL AND e.rejection IS NULL
     ORDER BY e.depth ${order}, e.stream_ordering ${order} LIMIT :limit`;

export const readEventsBackward = defineQuery<TopologicalRange, StoredEventRow>({
  name: 'rooms.read-events-backward',
  sql: topologicalRange('DESC'),
});

export const readEventsForward = defineQuery<TopologicalRange, StoredEventRow>({
  name: 'rooms.read-events-forward',
  sql: topologicalRange('ASC'),
});

/** How many events back the deepest one is looked for: branches of a room that are further apart than this are rare. */
const PLACE_LOOK_BACK = 100;

export const findPlaceAt = defineQuery<
  { readonly roomId: string; readonly position: number },
  { readonly depth: number | null; readonly streamOrdering: number | null }
>({
  name: 'rooms.find-place-at',
  sql: `
    SELECT max(depth) AS depth, max(stream_ordering) AS streamOrdering
      FROM (SELECT depth, stream_ordering
              FROM events
             WHERE room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId) AND stream_ordering <= :position
               AND rejection IS NULL
             ORDER BY stream_ordering DESC LIMIT ${PLACE_LOOK_BACK}) latest`,
  scans: ['latest'],
});

export const countEventsByRoom = defineQuery<
  { readonly from: number; readonly to: number },
  { readonly roomId: string; readonly events: number }
>({
  name: 'rooms.count-events-by-room',
  sql: `
    SELECT r.room_id AS roomId, n.events
      FROM (SELECT room_nid, count(*) AS events
              FROM events
             WHERE stream_ordering > :from AND stream_ordering <= :to AND rejection IS NULL
             GROUP BY room_nid) n
      JOIN rooms r ON r.room_nid = n.room_nid`,
  scans: ['n'],
});

export const readLatestPositionsOfRooms = defineQuery<
  { readonly roomIds: string; readonly to: number },
  { readonly roomId: string; readonly position: number | null }
>({
  name: 'rooms.read-latest-positions',
  sql: `
    SELECT r.room_id AS roomId,
           (SELECT e.stream_ordering
              FROM events e
             WHERE e.room_nid = r.room_nid AND e.stream_ordering <= :to AND e.rejection IS NULL
             ORDER BY e.stream_ordering DESC LIMIT 1) AS position
      FROM json_each(:roomIds) wanted CROSS JOIN rooms r ON r.room_id = wanted.value`,
  scans: ['wanted'],
});

function toPage(rows: readonly StoredEventRow[], limit: number): TimelinePage {
  return { events: rows.slice(0, limit).map(toStoredEvent), hasMore: rows.length > limit };
}

/**
 * The newest events of a room with `from < streamOrdering <= to`, newest first.
 *
 * @param limit how many at most; `hasMore` of the answer is what sync calls `limited`
 */
export async function readLatestTimeline(
  db: ReadDb,
  roomId: string,
  from: number,
  to: number,
  limit: number,
): Promise<TimelinePage> {
  return toPage(await db.all(readLatestEvents, { roomId, from, to, limit: limit + 1 }), limit);
}

/**
 * Events of a room going back from `from`, the event at `from` included, newest first, down to but without the event at `downTo`.
 *
 * @param from {@link ROOM_END} for the newest; @param downTo {@link ROOM_START} for no bound
 */
export async function readTimelineBackward(
  db: ReadDb,
  roomId: string,
  from: TopologicalPlace,
  downTo: TopologicalPlace,
  limit: number,
): Promise<TimelinePage> {
  const rows = await db.all(readEventsBackward, {
    roomId,
    fromDepth: downTo.depth,
    fromOrdering: downTo.streamOrdering,
    toDepth: from.depth,
    toOrdering: from.streamOrdering,
    limit: limit + 1,
  });
  return toPage(rows, limit);
}

/**
 * Events of a room going on from `from`, the event at `from` not included, oldest first, up to and with the event at `upTo`.
 *
 * @param from {@link ROOM_START} for the beginning; @param upTo {@link ROOM_END} for no bound
 */
export async function readTimelineForward(
  db: ReadDb,
  roomId: string,
  from: TopologicalPlace,
  upTo: TopologicalPlace,
  limit: number,
): Promise<TimelinePage> {
  const rows = await db.all(readEventsForward, {
    roomId,
    fromDepth: from.depth,
    fromOrdering: from.streamOrdering,
    toDepth: upTo.depth,
    toOrdering: upTo.streamOrdering,
    limit: limit + 1,
  });
  return toPage(rows, limit);
}

/**
 * The place of a room's last event at or before a position of the events stream: turns a sync token into one for /messages. In a room that
 * has forked the last event need not be the deepest: the place is beyond all that had come by then.
 */
export async function findTopologicalPlace(
  db: ReadDb,
  roomId: string,
  position: number,
): Promise<TopologicalPlace | undefined> {
  const { depth, streamOrdering } = await db.get(findPlaceAt, { roomId, position });
  return depth === null || streamOrdering === null ? undefined : { depth, streamOrdering };
}

/** How many timeline events each room got with `from < position <= to`; rooms without any are absent. Cost: the events of the range. */
export async function countTimelineEvents(
  db: ReadDb,
  from: number,
  to: number,
): Promise<ReadonlyMap<string, number>> {
  const rows = await db.all(countEventsByRoom, { from, to });
  return new Map(rows.map((row) => [row.roomId, row.events]));
}

/**
 * The position of the last timeline event at or before `to` of each of the rooms that has one: which of a user's rooms have
 * news. Cost: one index probe per room, however long the range.
 */
export async function readLatestPositions(
  db: ReadDb,
  roomIds: readonly string[],
  to: number,
): Promise<ReadonlyMap<string, number>> {
  if (roomIds.length === 0) return new Map();
  const rows = await db.all(readLatestPositionsOfRooms, { roomIds: JSON.stringify(roomIds), to });
  return new Map(rows.flatMap((row) => (row.position === null ? [] : [[row.roomId, row.position]])));
}
