import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import type { TimelineEntry } from './sync-reader.ts';

/** Children whose ids are read to tell which there are: of more of them nothing is told but how many. */
export const CHILDREN_NAMED_MAX = 1_000;

/** What is known of the children of an event. */
export interface ChildrenSummary {
  /** By relation type. */
  readonly counts: Readonly<Record<string, number>>;
  /** Null: there are more than {@link CHILDREN_NAMED_MAX}. */
  readonly eventIds: readonly string[] | null;
}

type ChildrenRange = {
  readonly roomId: string;
  readonly parentId: string;
  readonly upTo: number;
  readonly limit: number;
};

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';

// The newest or the oldest by their place in the room: only these are put into the order of their own times.
const childrenByTime = (order: 'ASC' | 'DESC'): string => `
    SELECT e.event_id AS eventId, child.child_ordering AS position, child.depth, e.state_group AS stateGroup,
           k.type AS stateType, k.state_key AS stateKey
      FROM (SELECT child_nid, child_ordering, depth FROM event_relations
             WHERE parent_id = :parentId AND room_nid = ${ROOM_NID} AND child_ordering <= :upTo
             ORDER BY depth ${order}, child_ordering ${order} LIMIT :limit) child
      JOIN events e ON e.event_nid = child.child_nid
      LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     ORDER BY e.origin_server_ts ${order}, child.child_ordering ${order}`;

export const readOldestChildren = defineQuery<ChildrenRange, TimelineEntry>({
  name: 'rooms.read-oldest-children',
  sql: childrenByTime('ASC'),
  scans: ['child'],
});

export const readNewestChildren = defineQuery<ChildrenRange, TimelineEntry>({
  name: 'rooms.read-newest-children',
  sql: childrenByTime('DESC'),
  scans: ['child'],
});

export const countChildren = defineQuery<
  { readonly roomId: string; readonly parentId: string },
  { readonly relType: string; readonly children: number }
>({
  name: 'rooms.count-children',
  sql: `
    SELECT rel_type AS relType, count(*) AS children FROM event_relations
     WHERE parent_id = :parentId AND room_nid = ${ROOM_NID} GROUP BY rel_type`,
});

export const readChildIds = defineQuery<
  { readonly roomId: string; readonly parentId: string; readonly limit: number },
  { readonly eventId: string }
>({
  name: 'rooms.read-child-ids',
  sql: `
    SELECT e.event_id AS eventId
      FROM event_relations r JOIN events e ON e.event_nid = r.child_nid
     WHERE r.parent_id = :parentId AND r.room_nid = ${ROOM_NID} LIMIT :limit`,
});

/** Children of an event up to a position, by their own times. */
export function readChildren(
  db: ReadDb,
  range: ChildrenRange,
  order: 'newest-first' | 'oldest-first',
): Promise<readonly TimelineEntry[]> {
  return db.all(order === 'newest-first' ? readNewestChildren : readOldestChildren, range);
}

/** How many children an event has, of which kind, and which. */
export async function summariseChildren(
  db: ReadDb,
  roomId: string,
  parentId: string,
): Promise<ChildrenSummary> {
  const groups = await db.all(countChildren, { roomId, parentId });
  const counts = Object.fromEntries(groups.map(({ relType, children }) => [relType, children]));
  const total = groups.reduce((sum, { children }) => sum + children, 0);
  if (total > CHILDREN_NAMED_MAX) return { counts, eventIds: null };
  const rows = total === 0 ? [] : await db.all(readChildIds, { roomId, parentId, limit: total });
  return { counts, eventIds: rows.map(({ eventId }) => eventId) };
}
