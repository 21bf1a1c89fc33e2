import type { Json } from '../../src/kit/json.ts';
import { edgeIds } from '../../src/matrix/events/pdu.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** An event as it stands in its room's graph. */
export interface GraphEvent {
  readonly eventId: string;
  readonly roomNid: number;
  readonly depth: number;
  /** The state after it; null where that is not known. */
  readonly stateGroup: number | null;
  readonly prevEventIds: readonly string[];
}

/** An event in short: what is said about it, not what it says. */
export interface EventNote {
  readonly eventId: string;
  readonly type: string;
  readonly stateKey: string | null;
  readonly sender: string;
  readonly originServerTs: number;
  /** The server that gave it to us; null: it was made here. */
  readonly receivedFrom: string | null;
  readonly rejection: string | null;
}

/** What one group alone says about a place. */
export interface OwnEntry {
  readonly parent: number | null;
  /** True: it has an entry there; a null `eventId` with it removes the parent's. */
  readonly isOwn: boolean;
  readonly eventId: string | null;
}

type OfIds = { readonly eventIds: string };
type OfPlace = { readonly type: string; readonly stateKey: string };

const STATE_KEY_NID = '(SELECT state_key_nid FROM state_keys WHERE type = :type AND state_key = :stateKey)';
const NOTE_COLUMNS = `
  e.event_id AS eventId, coalesce(k.type, json_extract(e.pdu, '$.type')) AS type, k.state_key AS stateKey,
  json_extract(e.pdu, '$.sender') AS sender, e.origin_server_ts AS originServerTs, e.received_from AS receivedFrom,
  e.rejection AS rejection`;

export const readGraphEventsById = defineQuery<
  OfIds,
  Omit<GraphEvent, 'prevEventIds'> & { readonly prevEvents: string | null }
>({
  name: 'rooms.read-graph-events',
  sql: `
    SELECT e.event_id AS eventId, e.room_nid AS roomNid, e.depth, e.state_group AS stateGroup,
           json_extract(e.pdu, '$.prev_events') AS prevEvents
      FROM json_each(:eventIds) wanted CROSS JOIN events e ON e.event_id = wanted.value`,
  scans: ['wanted'],
});

export const findOwnEntryOfGroup = defineQuery<
  OfPlace & { readonly stateGroup: number },
  { readonly parent: number | null; readonly isOwn: number; readonly eventId: string | null }
>({
  name: 'rooms.find-own-entry-of-group',
  sql: `
    SELECT g.parent, n.state_group IS NOT NULL AS isOwn, e.event_id AS eventId
      FROM state_groups g
      LEFT JOIN state_group_entries n ON n.state_group = g.state_group AND n.state_key_nid = ${STATE_KEY_NID}
      LEFT JOIN events e ON e.event_nid = n.event_nid
     WHERE g.state_group = :stateGroup`,
});

export const readEventNotesById = defineQuery<OfIds, EventNote>({
  name: 'rooms.read-event-notes',
  sql: `
    SELECT ${NOTE_COLUMNS}
      FROM json_each(:eventIds) wanted
      CROSS JOIN events e ON e.event_id = wanted.value
      LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid`,
  scans: ['wanted'],
});

export const readRefusedOfPlace = defineQuery<
  OfPlace & { readonly roomNid: number; readonly limit: number },
  EventNote
>({
  name: 'rooms.read-refused-state-events',
  sql: `
    SELECT ${NOTE_COLUMNS}
      FROM events e JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     WHERE e.room_nid = :roomNid AND e.state_key_nid = ${STATE_KEY_NID} AND e.rejection IS NOT NULL
     ORDER BY e.event_nid DESC LIMIT :limit`,
});

/** Those of the events that are stored, with the ids of their prev_events. */
export async function readGraphEvents(
  db: ReadDb,
  eventIds: readonly string[],
): Promise<readonly GraphEvent[]> {
  if (eventIds.length === 0) return [];
  const rows = await db.all(readGraphEventsById, { eventIds: JSON.stringify(eventIds) });
  return rows.map(({ prevEvents, ...event }) => ({
    ...event,
    prevEventIds: edgeIds(JSON.parse(prevEvents ?? '[]') as Json[]),
  }));
}

/** What one group, without its parents, says about a place. */
export async function getOwnEntry(
  db: ReadDb,
  stateGroup: number,
  type: string,
  stateKey: string,
): Promise<OwnEntry> {
  const row = await db.get(findOwnEntryOfGroup, { stateGroup, type, stateKey });
  return { ...row, isOwn: row.isOwn === 1 };
}

/** Notes of those of the events that are stored, by id. */
export async function readEventNotes(
  db: ReadDb,
  eventIds: readonly string[],
): Promise<ReadonlyMap<string, EventNote>> {
  if (eventIds.length === 0) return new Map();
  const rows = await db.all(readEventNotesById, { eventIds: JSON.stringify(eventIds) });
  return new Map(rows.map((row) => [row.eventId, row]));
}

/** The events of a room for one place of its state that were rejected or soft-failed, the newest first. */
export function readRefusedStateEvents(
  db: ReadDb,
  roomNid: number,
  place: OfPlace,
  limit: number,
): Promise<readonly EventNote[]> {
  return db.all(readRefusedOfPlace, { roomNid, ...place, limit });
}
