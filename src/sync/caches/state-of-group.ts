import { readSizeOfState } from '../../../db/rooms/head-reader.ts';
import { findBaseOfGroup, findWholeState, readStateLayer } from '../../../db/rooms/state-layer-reader.ts';
import {
  nameEntries,
  readEntriesAbove,
  readEntriesOfGroup,
  type StateEntry,
} from '../../../db/rooms/state-reader.ts';
import { layOver } from '../../kit/layered-map.ts';
import { stateName } from '../../matrix/state-resolution/state-map.ts';
import { type Caches, defineCache } from '../../streams/cache.ts';

/** One state of a room, by the name of each place (`stateName`). It never changes. */
export type GroupState = ReadonlyMap<string, StateEntry>;

interface GroupLayer {
  readonly base: number;
  readonly changes: ReadonlyMap<string, StateEntry | null>;
}

/** Whole states kept in memory on each thread. */
const WHOLE_STATES_BYTES_MAX = 32 * 1024 * 1024;
/** Differences from whole states, kept beside them. */
const STATE_LAYERS_BYTES_MAX = 16 * 1024 * 1024;
/** What a map, an entry and their objects take beside their texts, about: as measured. */
const STATE_BYTES = 500;
const ENTRY_BYTES = 130;

function bytesOf(state: ReadonlyMap<string, StateEntry | null>): number {
  let bytes = STATE_BYTES;
  // The name holds type and state key once more.
  for (const [name, entry] of state) bytes += ENTRY_BYTES + 2 * name.length + (entry?.eventId.length ?? 0);
  return bytes;
}

/** The whole state of a state group, by its number; undefined for a group that does not exist. A group never changes. */
export const stateOfGroupCache = defineCache<string, GroupState | undefined>({
  name: 'state-of-group',
  sizeMax: WHOLE_STATES_BYTES_MAX,
  size: (state) => (state === undefined ? 1 : bytesOf(state)),
  async load(db, stateGroup) {
    const entries = await findWholeState(db, Number(stateGroup));
    return entries && new Map(entries.map((entry) => [stateName(entry.type, entry.stateKey), entry]));
  },
  reads: [readSizeOfState, readEntriesOfGroup],
  keeps: (state) => state !== undefined,
  dependsOn: {},
});

/**
 * What makes a group's state out of a whole one that many groups have in common, by the number of the group. Names the whole one and does
 * not hold it, so that each byte counts once.
 */
export const stateLayerCache = defineCache<string, GroupLayer>({
  name: 'state-layer',
  sizeMax: STATE_LAYERS_BYTES_MAX,
  size: ({ changes }) => bytesOf(changes),
  async load(db, stateGroup) {
    const { base, changes } = await readStateLayer(db, Number(stateGroup));
    const entryOf = (type: string, stateKey: string, eventId: string | null): StateEntry | null =>
      eventId === null ? null : { type, stateKey, eventId };
    return {
      base,
      changes: new Map(
        changes.map(({ type, stateKey, eventId }) => [
          stateName(type, stateKey),
          entryOf(type, stateKey, eventId),
        ]),
      ),
    };
  },
  reads: [findBaseOfGroup, readEntriesAbove, nameEntries],
  dependsOn: {},
});

/**
 * The state of a group: a whole state that it shares with its neighbours, with its own changes laid over. Empty for a group that does not
 * exist.
 */
export async function getGroupState(caches: Pick<Caches, 'get'>, stateGroup: number): Promise<GroupState> {
  const { base, changes } = await caches.get(stateLayerCache, String(stateGroup));
  const shared = await caches.get(stateOfGroupCache, String(base));
  if (shared !== undefined) return layOver(shared, changes);
  // A purge has deleted the base since the layer was read; the group itself may have stayed.
  return (await caches.get(stateOfGroupCache, String(stateGroup))) ?? new Map<string, StateEntry>();
}
