import {
  findLatestEdit,
  findLatestOfThread,
  readReferences,
  readRelationGroups,
  readRelationGroupsQuery,
  type Reference,
  REFERENCES_MAX,
  type RelationGroup,
} from '../../../db/rooms/relation-reader.ts';
import type { TimelineEntry } from '../../../db/rooms/sync-reader.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { defineCache } from '../../streams/cache.ts';

/** What relates to an event, summed up for everybody: who sees or ignores whom comes later. */
export interface Relations {
  readonly groups: readonly RelationGroup[];
  /** The latest valid edit, whoever may see it; null without any. */
  readonly edit: TimelineEntry | null;
  /** The latest event of the thread that it begins, null without any. */
  readonly latestOfThread: TimelineEntry | null;
  /** The oldest first. */
  readonly references: readonly Reference[];
}

/** Events, groups and references: most events have none of these, and count one. */
const RELATIONS_MAX = 200_000;

const NOBODY = '[]';

async function sumUp(db: ReadDb, parentId: string, groups: readonly RelationGroup[]): Promise<Relations> {
  const has = (relType: string): boolean => groups.some((group) => group.relType === relType);
  // An event that relates to another one begins no thread, whatever other servers let their users send.
  const isThread = has('m.thread') && groups[0]?.isRelated === false;
  return {
    groups,
    edit: (has('m.replace') ? await db.find(findLatestEdit, { parentId }) : undefined) ?? null,
    latestOfThread:
      (isThread ? await db.find(findLatestOfThread, { parentId, ignored: NOBODY }) : undefined) ?? null,
    references: has('m.reference') ? await db.all(readReferences, { parentId, limit: REFERENCES_MAX }) : [],
  };
}

async function loadRelations(
  db: ReadDb,
  eventIds: readonly string[],
): Promise<ReadonlyMap<string, Relations | null>> {
  const byParent = Map.groupBy(await readRelationGroups(db, eventIds), ({ parentId }) => parentId);
  const loaded = new Map<string, Relations | null>();
  for (const eventId of eventIds) {
    const groups = byParent.get(eventId);
    loaded.set(eventId, groups === undefined ? null : await sumUp(db, eventId, groups));
  }
  return loaded;
}

/** What relates to events, by event id; null for those that nothing relates to. Annotations are not summed up. */
export const relationsCache = defineCache<string, Relations | null>({
  name: 'relations',
  sizeMax: RELATIONS_MAX,
  size: (relations) =>
    1 + (relations === null ? 0 : 2 * relations.groups.length + relations.references.length),
  load: async (db, eventId) => (await loadRelations(db, [eventId])).get(eventId) ?? null,
  loadMany: loadRelations,
  reads: [readRelationGroupsQuery, findLatestEdit, findLatestOfThread, readReferences],
  dependsOn: {
    relations: (fact) => [fact.eventId],
    // An event that comes, or relates to nothing any more, may begin a thread.
    event: (fact) => [fact.eventId],
  },
});
