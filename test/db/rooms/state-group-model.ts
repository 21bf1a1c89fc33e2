import { defineQuery } from '../../../db/kit/query.ts';
import { step, type WriteStep } from '../../../db/kit/write-set.ts';
import { HOPS_MAX, type StateGroupWrite, storeStateGroup } from '../../../db/rooms/state-group-writer.ts';
import type { StateChange, StateEntry } from '../../../db/rooms/state-reader.ts';
import { type EventWrite, storeEvent, storeRoom } from '../../../db/rooms/writer.ts';
import type { TestDatabase } from '../../support/database.ts';

export const ROOM_NID = 1;
export const ROOM_ID = '!r1:example.com';
const EVENTS_AT_ONCE = 500;

/** A state as a plain map: by the name of each place the id of the event. */
export type NaiveState = ReadonlyMap<string, string>;

export const placeOf = (index: number): { readonly type: string; readonly stateKey: string } => ({
  type: `test.type${index % 7}`,
  stateKey: `key${index}`,
});
export const nameOf = ({ type, stateKey }: { readonly type: string; readonly stateKey: string }): string =>
  `${type}|${stateKey}`;

/** The id of the `version`th event of the place `index`. */
export const eventIdOf = (index: number, version: number): string => `$${index}-${version}`;

export const toState = (entries: readonly StateEntry[]): NaiveState =>
  new Map(entries.map((entry) => [nameOf(entry), entry.eventId]));

/** The entries in an order that does not depend on how they were read. */
export const sorted = (state: NaiveState): readonly (readonly [string, string])[] =>
  [...state].toSorted(([left], [right]) => (left < right ? -1 : 1));

export const sortedChanges = (
  changes: readonly StateChange[],
): readonly (readonly [string, string | null])[] =>
  changes
    .map((change) => [nameOf(change), change.eventId] as const)
    .toSorted(([left], [right]) => (left < right ? -1 : 1));

/** What makes `from` into `to`. */
export function differenceOf(
  from: NaiveState,
  to: NaiveState,
): readonly (readonly [string, string | null])[] {
  const changes: [string, string | null][] = [];
  for (const [name, eventId] of to) if (from.get(name) !== eventId) changes.push([name, eventId]);
  for (const name of from.keys()) if (!to.has(name)) changes.push([name, null]);
  return changes.toSorted(([left], [right]) => (left < right ? -1 : 1));
}

export function apply(state: NaiveState, write: StateGroupWrite & { readonly kind: 'new' }): NaiveState {
  const after = new Map(state);
  for (const change of write.changes) {
    if (change.eventId === null) after.delete(nameOf(change));
    else after.set(nameOf(change), change.eventId);
  }
  return after;
}

function eventWrite(index: number, version: number): EventWrite {
  return {
    roomNid: ROOM_NID,
    eventId: eventIdOf(index, version),
    depth: 1,
    originServerTs: 1,
    pdu: JSON.stringify({ type: placeOf(index).type, sender: '@creator:example.com', content: {} }),
    state: { ...placeOf(index), membership: null },
    stateGroup: null,
    follows: [],
    localMembership: null,
    redacts: null,
    transaction: null,
  };
}

/** Writes steps of the owner of rooms. */
export async function writeSteps(
  database: TestDatabase,
  steps: readonly WriteStep[],
  count: number | null = null,
): Promise<void> {
  const advance = count === null ? {} : { advance: { stream: 'events', count } };
  const outcome = await database.write.write({ owner: 'rooms', ...advance, steps });
  if (outcome.kind !== 'committed') throw new Error(JSON.stringify(outcome));
}

/** Stores a room with `versions` events for each of `places` places, none of which any state has. */
export async function storeEvents(database: TestDatabase, places: number, versions: number): Promise<void> {
  const events = Array.from({ length: places * versions }, (_, index) =>
    eventWrite(index % places, Math.floor(index / places)),
  );
  const room = { roomNid: ROOM_NID, roomId: ROOM_ID, roomVersion: '11', creator: '@creator:example.com' };
  const first = events.slice(0, 1);
  await writeSteps(database, storeRoom({ ...room, isPublic: false, alias: null, events: first }), 1);
  for (let start = 1; start < events.length; start += EVENTS_AT_ONCE) {
    const some = events.slice(start, start + EVENTS_AT_ONCE);
    await writeSteps(
      database,
      some.flatMap((event, index) => storeEvent(event, index)),
      some.length,
    );
  }
}

export const storeGroup = (database: TestDatabase, write: StateGroupWrite): Promise<void> =>
  writeSteps(database, storeStateGroup(ROOM_NID, write));

export const readLayout = defineQuery<
  { readonly stateGroup: number },
  {
    readonly hops: number;
    readonly root: number;
    readonly ownEntries: number;
    readonly parent: number | null;
  }
>({
  name: 'test.read-layout',
  sql: `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent)
    SELECT count(*) - 1 AS hops, min(state_group) AS root,
           (SELECT parent FROM state_groups WHERE state_group = :stateGroup) AS parent,
           (SELECT count(*) FROM state_group_entries WHERE state_group = :stateGroup) AS ownEntries
      FROM chain`,
});

/** A purge in small: the group is made to need no other, and nothing is left of those that only it needed. */
export const copyWholeState = defineQuery<{ readonly stateGroup: number }>({
  name: 'rooms.test-copy-whole-state',
  sql: `
    INSERT OR IGNORE INTO state_group_entries (state_group, state_key_nid, event_nid)
    SELECT :stateGroup, state_key_nid, event_nid FROM (
      WITH RECURSIVE chain (state_group, parent) AS (
        SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
        UNION ALL
        SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent)
      SELECT n.state_key_nid, n.event_nid, max(n.state_group)
        FROM chain c CROSS JOIN state_group_entries n ON n.state_group = c.state_group
       GROUP BY n.state_key_nid)
     WHERE event_nid IS NOT NULL`,
});
export const cutParent = defineQuery<{ readonly stateGroup: number }>({
  name: 'rooms.test-cut-parent',
  sql: 'UPDATE state_groups SET parent = NULL, deltas = 0 WHERE state_group = :stateGroup',
});
export const deleteGroup = defineQuery<{ readonly stateGroup: number }>({
  name: 'rooms.test-delete-group',
  sql: 'DELETE FROM state_groups WHERE state_group = :stateGroup',
});
export const deleteEntries = defineQuery<{ readonly stateGroup: number }>({
  name: 'rooms.test-delete-entries',
  sql: 'DELETE FROM state_group_entries WHERE state_group = :stateGroup',
});
export const PURGE_QUERIES = [copyWholeState, cutParent, deleteGroup, deleteEntries];

/** Makes `stateGroup` a checkpoint and deletes `others`, which no group that stays is stored over. */
export async function purge(
  database: TestDatabase,
  stateGroup: number,
  others: readonly number[],
): Promise<void> {
  await writeSteps(database, [
    step(copyWholeState, { stateGroup }),
    step(cutParent, { stateGroup }),
    ...others.flatMap((group) => [
      step(deleteEntries, { stateGroup: group }),
      step(deleteGroup, { stateGroup: group }),
    ]),
  ]);
}

/** The most groups that a group may be stored over, by the changes since its checkpoint. */
export const hopsBound = (deltas: number): number => Math.min(deltas, 63 + Math.floor(deltas / 64), HOPS_MAX);
