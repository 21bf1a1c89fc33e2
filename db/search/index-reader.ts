import { defineQuery, type SqlParams } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

export const findProgress = defineQuery<
  SqlParams,
  { readonly indexedUpTo: number; readonly position: number }
>({
  name: 'search.find-progress',
  sql: `
    SELECT indexed_up_to AS indexedUpTo,
           coalesce((SELECT max(position) FROM stream_positions WHERE stream = 'events' AND direction = 'forward'), 0) AS position
      FROM search_progress WHERE only_row = 1`,
});

export const findIndexedRoom = defineQuery<{ readonly roomId: string }, { readonly roomNid: number }>({
  name: 'search.find-room',
  sql: 'SELECT room_nid AS roomNid FROM search_rooms WHERE room_id = :roomId',
});

export const readRoomNids = defineQuery<
  { readonly roomIds: string },
  { readonly roomId: string; readonly roomNid: number }
>({
  name: 'search.read-room-nids',
  sql: `
    SELECT r.room_id AS roomId, r.room_nid AS roomNid
      FROM json_each(:roomIds) wanted CROSS JOIN rooms r ON r.room_id = wanted.value`,
  scans: ['wanted'],
});

export const readEntriesOfRoom = defineQuery<
  { readonly roomNid: number; readonly after: number; readonly limit: number },
  { readonly eventNid: number; readonly isShown: number }
>({
  name: 'search.read-entries-of-room',
  sql: `
    SELECT s.event_nid AS eventNid,
           EXISTS (SELECT 1 FROM events e WHERE e.event_nid = s.event_nid AND e.stream_ordering IS NOT NULL) AS isShown
      FROM search_entries s
     WHERE s.room_nid = :roomNid AND s.event_nid > :after ORDER BY s.event_nid LIMIT :limit`,
});

export const readNumbersOfEvents = defineQuery<{ readonly eventIds: string }, { readonly eventNid: number }>({
  name: 'search.read-numbers-of-events',
  sql: `
    SELECT e.event_nid AS eventNid FROM json_each(:eventIds) wanted CROSS JOIN events e ON e.event_id = wanted.value`,
  scans: ['wanted'],
});

/** Up to where the events stream is indexed, and how far it has come. */
export function readProgress(
  db: ReadDb,
): Promise<{ readonly indexedUpTo: number; readonly position: number }> {
  return db.get(findProgress, {});
}
