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

/** An entry as it is stored for one group. */
interface StoredEntry {
  readonly stateGroup: number;
  readonly stateKeyNid: number;
  /** Null: the group has no such entry. */
  readonly eventNid: number | null;
}

/** Entries that are looked up one by one; for more of them, whole states are compared. */
const LOOKED_UP_MAX = 256;

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';

/**
 * The group and what it is stored over, up to the checkpoint: no more than HOPS_MAX of state-group-writer.ts. Children have greater numbers
 * than their parents.
 */
const CHAIN = `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent)`;

/**
 * Where the id of a state event comes from when many are read: an index that holds nothing but the ids of state events. The rows of `events`
 * hold the texts, too, and a state's are all over the table.
 */
export const eventIdsOf = (entries: string): string =>
  `events e INDEXED BY state_event_ids ON e.event_nid = ${entries}.event_nid AND e.state_key_nid = ${entries}.state_key_nid`;

export const readCurrentStateEntries = defineQuery<OfRoom, StateEntry>({
  name: 'rooms.read-current-state',
  sql: `
    SELECT k.type, k.state_key AS stateKey, e.event_id AS eventId
      FROM current_state c
      JOIN state_keys k ON k.state_key_nid = c.state_key_nid
      JOIN ${eventIdsOf('c')}
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
      JOIN ${eventIdsOf('latest')}`,
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
    SELECT stateGroup FROM (
      SELECT * FROM (
        SELECT stream_ordering AS position, state_group AS stateGroup, 0 AS isResolved
          FROM events
         WHERE room_nid = ${ROOM_NID} AND stream_ordering <= :position AND rejection IS NULL AND state_group IS NOT NULL
         ORDER BY stream_ordering DESC LIMIT 1)
      UNION ALL
      SELECT * FROM (
        SELECT position, state_group, 1
          FROM resolved_states
         WHERE room_nid = ${ROOM_NID} AND position <= :position
         ORDER BY position DESC LIMIT 1)
      ) newest
     ORDER BY position DESC, isResolved DESC LIMIT 1`,
});

/** The groups that a group is stored over, with itself. */
export const readGroupsBelow = defineQuery<OfGroup, OfGroup>({
  name: 'rooms.read-groups-below',
  sql: `${CHAIN} SELECT state_group AS stateGroup FROM chain`,
  scans: ['chain'],
});

/** What is stored for a group and those that it is stored over, down to but without `base`; several of one place are in it. */
export const readEntriesAbove = defineQuery<OfGroup & { readonly base: number }, StoredEntry>({
  name: 'rooms.read-state-above',
  sql: `${CHAIN}
    SELECT n.state_group AS stateGroup, n.state_key_nid AS stateKeyNid, n.event_nid AS eventNid
      FROM chain c CROSS JOIN state_group_entries n ON n.state_group = c.state_group
     WHERE c.state_group > :base`,
  scans: ['chain', 'c'],
});

export const readEntriesOfKeys = defineQuery<OfGroup & { readonly stateKeyNids: string }, StoredEntry>({
  name: 'rooms.read-state-of-keys',
  sql: `${CHAIN}
    SELECT n.state_group AS stateGroup, n.state_key_nid AS stateKeyNid, n.event_nid AS eventNid
      FROM chain c
      CROSS JOIN json_each(:stateKeyNids) wanted
      CROSS JOIN state_group_entries n ON n.state_group = c.state_group AND n.state_key_nid = wanted.value`,
  scans: ['chain', 'c', 'wanted'],
});

/** The texts of `[state_key_nid, event_nid]`. */
export const nameEntries = defineQuery<{ readonly entries: string }, StateChange>({
  name: 'rooms.name-state-entries',
  sql: `
    SELECT k.type, k.state_key AS stateKey, e.event_id AS eventId
      FROM json_each(:entries) named
      CROSS JOIN state_keys k ON k.state_key_nid = json_extract(named.value, '$[0]')
      LEFT JOIN events e ON e.event_nid = json_extract(named.value, '$[1]')`,
  scans: ['named'],
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

/** The group of the current state as it was at `position`: of the last timeline event, or what several branches resolved to; undefined where the room had none by then. */
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

/** What makes the state of a group out of that of a group that it is stored over; each place once. */
export async function readStateAbove(
  db: ReadDb,
  stateGroup: number,
  base: number,
): Promise<readonly StateChange[]> {
  const changes = latestOf(await db.all(readEntriesAbove, { stateGroup, base }));
  return db.all(nameEntries, { entries: JSON.stringify([...changes]) });
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

type NidState = Map<number, number | null>;

/** Of each place the entry of the newest group: it covers the others. */
function latestOf(entries: readonly StoredEntry[]): NidState {
  const newest = new Map<number, StoredEntry>();
  for (const entry of entries) {
    const known = newest.get(entry.stateKeyNid);
    if (known === undefined || known.stateGroup < entry.stateGroup) newest.set(entry.stateKeyNid, entry);
  }
  return new Map([...newest].map(([stateKeyNid, { eventNid }]) => [stateKeyNid, eventNid]));
}

/** The newest group that both are stored over; 0 when there is none. */
async function commonBase(db: ReadDb, one: number, other: number): Promise<number> {
  const below = new Set((await db.all(readGroupsBelow, { stateGroup: one })).map((row) => row.stateGroup));
  const common = (await db.all(readGroupsBelow, { stateGroup: other })).filter((row) =>
    below.has(row.stateGroup),
  );
  return Math.max(0, ...common.map((row) => row.stateGroup));
}

/** Places whose entry differs, with the later one. */
async function changedSince(db: ReadDb, base: number, fromGroup: number, toGroup: number): Promise<NidState> {
  const from = latestOf(await db.all(readEntriesAbove, { stateGroup: fromGroup, base }));
  const to = latestOf(await db.all(readEntriesAbove, { stateGroup: toGroup, base }));
  const onlyOnce = [...from.keys(), ...to.keys()].filter((key) => !from.has(key) || !to.has(key));
  let ofBase: NidState = new Map();
  if (base > 0 && onlyOnce.length > 0) {
    if (onlyOnce.length > LOOKED_UP_MAX) return changedSince(db, 0, fromGroup, toGroup);
    const stateKeyNids = JSON.stringify(onlyOnce);
    ofBase = latestOf(await db.all(readEntriesOfKeys, { stateGroup: base, stateKeyNids }));
  }
  const valueIn = (state: NidState, key: number): number | null =>
    (state.has(key) ? state.get(key) : ofBase.get(key)) ?? null;
  const changed: NidState = new Map();
  for (const key of new Set([...from.keys(), ...to.keys()])) {
    const after = valueIn(to, key);
    if (valueIn(from, key) !== after) changed.set(key, after);
  }
  return changed;
}

/**
 * What is different in `toGroup`, compared with `fromGroup`. Cheap when few changes lie between them and a group that both are stored over,
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
  // In one world: a purge may give groups other parents.
  return db.snapshot(async (world) => {
    const base = await commonBase(world, fromGroup, toGroup);
    const changed = await changedSince(world, base, fromGroup, toGroup);
    return world.all(nameEntries, { entries: JSON.stringify([...changed]) });
  });
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
