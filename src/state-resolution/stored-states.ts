import type { ReadDb } from '../../db/kit/read-db.ts';
import type { StateGroupChange } from '../../db/rooms/state-group-writer.ts';
import { readStateOfGroup } from '../../db/rooms/state-reader.ts';
import { stateKeyOf, type StateMap, stateName } from '../matrix/state-resolution/state-map.ts';

/** The whole state of a group. */
export async function readStateMap(db: ReadDb, stateGroup: number): Promise<StateMap> {
  const entries = await readStateOfGroup(db, stateGroup);
  return new Map(entries.map(({ type, stateKey, eventId }) => [stateName(type, stateKey), eventId]));
}

/** A state with entries laid over it. */
export function layOver(state: StateMap, changes: readonly StateGroupChange[]): StateMap {
  if (changes.length === 0) return state;
  const changed = new Map(state);
  for (const { type, stateKey, eventId } of changes) {
    const name = stateName(type, stateKey);
    if (eventId === null) changed.delete(name);
    else changed.set(name, eventId);
  }
  return changed;
}

/** What makes `to` out of `from`. */
export function differenceBetween(from: StateMap, to: StateMap): StateGroupChange[] {
  const changes: StateGroupChange[] = [];
  for (const [name, eventId] of to) {
    if (from.get(name) !== eventId) changes.push({ ...stateKeyOf(name), eventId });
  }
  for (const name of from.keys()) {
    if (!to.has(name)) changes.push({ ...stateKeyOf(name), eventId: null });
  }
  return changes;
}
