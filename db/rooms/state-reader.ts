import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import {
  type StoredEvent,
  type StoredEventRow,
  STORED_EVENT_COLUMNS,
  STORED_EVENT_JOINS,
  toStoredEvent,
} from './event-reader.ts';

/** One entry of a room's state. */
export interface StateEntry {
  readonly type: string;
  readonly stateKey: string;
  readonly eventId: string;
}

/** One entry that differs between two states. */
export interface StateChange {
  readonly type: string;
  readonly stateKey: string;
  /** Null: the later state has no such entry. */
  readonly eventId: string | null;
}

type OfRoom = { readonly roomId: string };
type OfGroup = { readonly stateGroup: number };

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';

/** The group and its ancestors up to the checkpoint. Children have greater numbers than their parents. */
const CHAIN = `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent)`;

export const readCurrentStateEntries = defineQuery<OfRoom, StateEntry>({
  name: 'rooms.read-current-state',
  sql: `
    SELECT k.type, k.state_key AS stateKey, e.event_id AS eventId
      FROM current_state c
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
      JOIN events e ON e.event_nid = c.event_nid
     WHERE c.room_nid = ${ROOM_NID}`,
});

export const findCurrentStateEntry = defineQuery<
  OfRoom & { readonly type: string; readonly stateKey: string },
  StoredEventRow
>({
  name: 'rooms.find-current-state-event',
  sql: `
    SELECT ${STORED_EVENT_COLUMNS}
      FROM current_state c
      JOIN events e ON e.event_nid = c.event_nid ${STORED_EVENT_JOINS}
     WHERE c.room_nid = ${ROOM_NID}
       AND c.state_key_nid = (SELECT state_key_nid FROM state_keys WHERE type = :type AND state_key = :stateKey)`,
});

export const readEntriesOfGroup = defineQuery<OfGroup, StateEntry>({
  name: 'rooms.read-state-of-group',
  sql: `${CHAIN}
    SELECT k.type, k.state_key AS stateKey, e.event_id AS eventId
      FROM (SELECT n.state_key_nid, n.event_nid, max(n.state_group)
              FROM chain c CROSS JOIN state_group_entries n ON n.state_group = c.state_group
             GROUP BY n.state_key_nid) latest
      JOIN state_keys k ON k.state_key_nid = latest.state_key_nid
      JOIN events e ON e.event_nid = latest.event_nid`,
  scans: ['chain', 'c', 'latest'],
});

export const findEntryOfGroup = defineQuery<
  OfGroup & { readonly type: string; readonly stateKey: string },
  { readonly eventId: string | null }
>({
  name: 'rooms.find-state-of-group',
  sql: `${CHAIN}
    SELECT e.event_id AS eventId
      FROM chain c
      CROSS JOIN state_group_entries n ON n.state_group = c.state_group
      LEFT JOIN events e ON e.event_nid = n.event_nid
     WHERE n.state_key_nid = (SELECT state_key_nid FROM state_keys WHERE type = :type AND state_key = :stateKey)
     ORDER BY n.state_group DESC LIMIT 1`,
  scans: ['chain', 'c'],
});

export const findGroupAt = defineQuery<
  OfRoom & { readonly position: number },
  { readonly stateGroup: number }
>({
  name: 'rooms.find-state-group-at',
  sql: `
    SELECT state_group AS stateGroup
      FROM events
     WHERE room_nid = ${ROOM_NID} AND stream_ordering <= :position AND rejection IS NULL AND state_group IS NOT NULL
     ORDER BY stream_ordering DESC LIMIT 1`,
});

/** The deltas between a group and an ancestor; `reached` is 1 when nothing but deltas lies between them. */
export const readDeltasBetween = defineQuery<
  { readonly fromGroup: number; readonly toGroup: number },
  {
    readonly type: string;
    readonly stateKey: string;
    readonly eventId: string | null;
    readonly reached: number;
  }
>({
  name: 'rooms.read-state-deltas',
  sql: `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :toGroup
      UNION ALL
      SELECT g.state_group, g.parent
        FROM chain c JOIN state_groups g ON g.state_group = c.parent
       WHERE g.state_group > :fromGroup)
    SELECT k.type, k.state_key AS stateKey, e.event_id AS eventId,
           EXISTS (SELECT 1 FROM chain WHERE parent = :fromGroup) AS reached
      FROM (SELECT n.state_key_nid, n.event_nid, max(n.state_group)
              FROM chain c CROSS JOIN state_group_entries n ON n.state_group = c.state_group
             GROUP BY n.state_key_nid) latest
      JOIN state_keys k ON k.state_key_nid = latest.state_key_nid
      LEFT JOIN events e ON e.event_nid = latest.event_nid`,
  scans: ['chain', 'c', 'latest'],
});

export const readChangesOfRoom = defineQuery<
  OfRoom & { readonly from: number; readonly to: number },
  StateChange & { readonly position: number }
>({
  name: 'rooms.read-state-changes',
  sql: `
    SELECT k.type, k.state_key AS stateKey, e.event_id AS eventId, e.stream_ordering AS position
      FROM events e JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     WHERE e.room_nid = ${ROOM_NID} AND e.stream_ordering > :from AND e.stream_ordering <= :to
       AND e.state_key_nid IS NOT NULL AND e.rejection IS NULL
    UNION ALL
    SELECT k.type, k.state_key, e.event_id, c.position
      FROM state_changes c
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
      LEFT JOIN events e ON e.event_nid = c.event_nid
     WHERE c.room_nid = ${ROOM_NID} AND c.position > :from AND c.position <= :to
    ORDER BY 4`,
});

const stateName = (type: string, stateKey: string): string => `${type}\u0000${stateKey}`;

/** The current state of a room, ids only; empty for an unknown room. It may be ahead of a view: see {@link readStateAt}. */
export function readCurrentState(db: ReadDb, roomId: string): Promise<readonly StateEntry[]> {
  return db.all(readCurrentStateEntries, { roomId });
}

/** The event that stands under one key of the current state. */
export async function findCurrentStateEvent(
  db: ReadDb,
  roomId: string,
  type: string,
  stateKey: string,
): Promise<StoredEvent | undefined> {
  const row = await db.find(findCurrentStateEntry, { roomId, type, stateKey });
  return row === undefined ? undefined : toStoredEvent(row);
}

/** The state group after the last timeline event at or before `position`; undefined where the room had none by then. */
export async function findStateGroupAt(
  db: ReadDb,
  roomId: string,
  position: number,
): Promise<number | undefined> {
  return (await db.find(findGroupAt, { roomId, position }))?.stateGroup;
}

/** The whole state of a group, ids only. Cost: the entries since, and of, its last checkpoint. */
export function readStateOfGroup(db: ReadDb, stateGroup: number): Promise<readonly StateEntry[]> {
  return db.all(readEntriesOfGroup, { stateGroup });
}

/** The id of the event under one key of a group's state. */
export async function findStateOfGroup(
  db: ReadDb,
  stateGroup: number,
  type: string,
  stateKey: string,
): Promise<string | undefined> {
  return (await db.find(findEntryOfGroup, { stateGroup, type, stateKey }))?.eventId ?? undefined;
}

/** The state of a room as of a position of the events stream, ids only; empty where the room had no event by then. */
export async function readStateAt(
  db: ReadDb,
  roomId: string,
  position: number,
): Promise<readonly StateEntry[]> {
  const stateGroup = await findStateGroupAt(db, roomId, position);
  return stateGroup === undefined ? [] : readStateOfGroup(db, stateGroup);
}

/**
 * What is different in `toGroup`, compared with `fromGroup`. Cheap when `fromGroup` is an ancestor without a checkpoint between them,
 * otherwise the cost of both states.
 *
 * @param fromGroup null for "no state"
 */
export async function readStateDifference(
  db: ReadDb,
  fromGroup: number | null,
  toGroup: number,
): Promise<readonly StateChange[]> {
  if (fromGroup === toGroup) return [];
  if (fromGroup === null) return readStateOfGroup(db, toGroup);
  const deltas = await db.all(readDeltasBetween, { fromGroup, toGroup });
  if (deltas[0]?.reached === 1)
    return deltas.map(({ type, stateKey, eventId }) => ({ type, stateKey, eventId }));
  const before = new Map<string, StateEntry>();
  for (const entry of await readStateOfGroup(db, fromGroup)) {
    before.set(stateName(entry.type, entry.stateKey), entry);
  }
  const changes: StateChange[] = [];
  for (const entry of await readStateOfGroup(db, toGroup)) {
    const name = stateName(entry.type, entry.stateKey);
    if (before.get(name)?.eventId !== entry.eventId) changes.push(entry);
    before.delete(name);
  }
  for (const { type, stateKey } of before.values()) changes.push({ type, stateKey, eventId: null });
  return changes;
}

/**
 * What changed in a room's state with `from < position <= to`, the last change of each key: state events of the timeline, and
 * changes without one (state resolution, purge).
 */
export async function readStateChanges(
  db: ReadDb,
  roomId: string,
  from: number,
  to: number,
): Promise<readonly StateChange[]> {
  const last = new Map<string, StateChange>();
  for (const { type, stateKey, eventId } of await db.all(readChangesOfRoom, { roomId, from, to })) {
    last.set(stateName(type, stateKey), { type, stateKey, eventId });
  }
  return [...last.values()];
}
