import { readEntriesOfGroup, readStateOfGroup, type StateEntry } from '../../../db/rooms/state-reader.ts';
import { defineCache } from '../../streams/cache.ts';

/** Entries of state kept in memory over all groups. */
const STATE_OF_GROUP_ENTRIES_MAX = 200_000;

/** The state of a state group, by its number. A group never changes. */
export const stateOfGroupCache = defineCache<string, readonly StateEntry[]>({
  name: 'state-of-group',
  sizeMax: STATE_OF_GROUP_ENTRIES_MAX,
  size: (entries) => entries.length + 1,
  load: (db, stateGroup) => readStateOfGroup(db, Number(stateGroup)),
  reads: [readEntriesOfGroup],
  dependsOn: {},
});
