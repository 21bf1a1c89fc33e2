import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import type { TimelineEntry } from './sync-reader.ts';
import type { TopologicalPlace } from './timeline-reader.ts';

/** How deep indirect relations are followed: 1 is what relates to the event itself. */
export const RELATION_DEPTH_MAX = 3;
/** Indirectly related events that are gathered for one answer: the rest is not found. */
export const RELATED_EVENTS_MAX = 5_000;
/** References to one event that are told with it. */
export const REFERENCES_MAX = 1_000;

/** Groups of children that are read for some events at once: what is beyond it is not counted. */
export const RELATION_GROUPS_MAX = 20_000;

/** Which children of an event are wanted. */
export interface RelationRange {
  readonly roomId: string;
  readonly parentId: string;
  /** Null: any. */
  readonly relType: string | null;
  readonly type: string | null;
  /** Not included; `to` is. */
  readonly from: TopologicalPlace;
  readonly to: TopologicalPlace;
}

/** The children of one event that have one relation type and one sender. */
export interface RelationGroup {
  readonly parentId: string;
  readonly relType: string;
  readonly sender: string;
  readonly children: number;
  /** The event relates to another one itself. */
  readonly isRelated: boolean;
  /** The first place in the timeline that one of them has. */
  readonly firstOrdering: number;
}

/** An event that refers to another one. */
export interface Reference {
  readonly eventId: string;
  readonly sender: string;
}

/** A thread of a room, at its newest event. */
export interface ThreadPlace extends TopologicalPlace {
  readonly rootId: string;
}

type RangeParams = {
  readonly roomId: string;
  readonly parentId: string;
  readonly relType: string | null;
  readonly type: string | null;
  readonly fromDepth: number;
  readonly fromOrdering: number;
  readonly toDepth: number;
  readonly toOrdering: number;
  readonly limit: number;
};

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';

const ENTRY_COLUMNS = `
           e.event_id AS eventId, r.child_ordering AS position, r.depth, e.state_group AS stateGroup,
           k.type AS stateType, k.state_key AS stateKey`;

const IN_RANGE = `
       AND (r.depth, r.child_ordering) > (:fromDepth, :fromOrdering)
       AND (r.depth, r.child_ordering) <= (:toDepth, :toOrdering)`;

const IS_WANTED = `(:relType IS NULL OR r.rel_type = :relType) AND (:type IS NULL OR r.type = :type)`;

const directly = (order: 'ASC' | 'DESC'): string => `
    SELECT ${ENTRY_COLUMNS}
      FROM event_relations r
      JOIN events e ON e.event_nid = r.child_nid
      LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     WHERE r.parent_id = :parentId AND r.room_nid = ${ROOM_NID} AND ${IS_WANTED} ${IN_RANGE}
     ORDER BY r.depth ${order}, r.child_ordering ${order} LIMIT :limit`;

// What relates to an event by way of one that is not wanted is not found. UNION ends what goes round in circles.
const indirectly = (order: 'ASC' | 'DESC'): string => `
    WITH RECURSIVE related (child_nid, event_id, distance) AS (
      SELECT r.child_nid, c.event_id, 1
        FROM event_relations r JOIN events c ON c.event_nid = r.child_nid
       WHERE r.parent_id = :parentId AND r.room_nid = ${ROOM_NID} AND ${IS_WANTED}
      UNION
      SELECT r.child_nid, c.event_id, p.distance + 1
        FROM related p
        CROSS JOIN event_relations r ON r.parent_id = p.event_id
        JOIN events c ON c.event_nid = r.child_nid
       WHERE p.distance < ${RELATION_DEPTH_MAX} AND r.room_nid = ${ROOM_NID} AND ${IS_WANTED}
      LIMIT ${RELATED_EVENTS_MAX})
    SELECT DISTINCT ${ENTRY_COLUMNS}
      FROM related found
      CROSS JOIN event_relations r ON r.child_nid = found.child_nid
      JOIN events e ON e.event_nid = r.child_nid
      LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     WHERE e.event_id <> :parentId ${IN_RANGE}
     ORDER BY r.depth ${order}, r.child_ordering ${order} LIMIT :limit`;

export const readRelatedForward = defineQuery<RangeParams, TimelineEntry>({
  name: 'rooms.read-related-forward',
  sql: directly('ASC'),
});

export const readRelatedBackward = defineQuery<RangeParams, TimelineEntry>({
  name: 'rooms.read-related-backward',
  sql: directly('DESC'),
});

export const readRelatedDeepForward = defineQuery<RangeParams, TimelineEntry>({
  name: 'rooms.read-related-deep-forward',
  sql: indirectly('ASC'),
  scans: ['related', 'p'],
});

export const readRelatedDeepBackward = defineQuery<RangeParams, TimelineEntry>({
  name: 'rooms.read-related-deep-backward',
  sql: indirectly('DESC'),
  scans: ['related', 'p'],
});

export const readRelationGroupsQuery = defineQuery<
  { readonly eventIds: string },
  Omit<RelationGroup, 'isRelated'> & { readonly isRelated: number }
>({
  name: 'rooms.read-relation-groups',
  sql: `
    SELECT p.event_id AS parentId, r.rel_type AS relType, r.sender, count(*) AS children,
           min(r.child_ordering) AS firstOrdering,
           EXISTS (SELECT 1 FROM event_relations own WHERE own.child_nid = p.event_nid) AS isRelated
      FROM json_each(:eventIds) wanted
      CROSS JOIN events p ON p.event_id = wanted.value
      CROSS JOIN event_relations r ON r.parent_id = p.event_id AND r.room_nid = p.room_nid
     WHERE r.rel_type IN ('m.thread', 'm.replace', 'm.reference') AND p.state_key_nid IS NULL
     GROUP BY p.event_id, r.rel_type, r.sender LIMIT ${RELATION_GROUPS_MAX}`,
  scans: ['wanted'],
});

export const readReferences = defineQuery<{ readonly parentId: string; readonly limit: number }, Reference>({
  name: 'rooms.read-references',
  sql: `
    SELECT e.event_id AS eventId, r.sender
      FROM events p
      CROSS JOIN event_relations r ON r.parent_id = p.event_id AND r.room_nid = p.room_nid
      JOIN events e ON e.event_nid = r.child_nid
     WHERE p.event_id = :parentId AND r.rel_type = 'm.reference'
     ORDER BY r.depth, r.child_ordering LIMIT :limit`,
});

export const findLatestEdit = defineQuery<{ readonly parentId: string }, TimelineEntry>({
  name: 'rooms.find-latest-edit',
  // An encrypted edit has its new content where the server cannot look.
  sql: `
    SELECT ${ENTRY_COLUMNS}
      FROM events p
      CROSS JOIN event_relations r ON r.parent_id = p.event_id AND r.room_nid = p.room_nid
      JOIN events e ON e.event_nid = r.child_nid
      LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     WHERE p.event_id = :parentId AND p.state_key_nid IS NULL AND r.rel_type = 'm.replace'
       AND r.sender = json_extract(p.pdu, '$.sender') AND r.type = json_extract(p.pdu, '$.type')
       AND e.state_key_nid IS NULL
       AND (r.type = 'm.room.encrypted' OR json_type(e.pdu, '$.content."m.new_content"') = 'object')
       AND NOT EXISTS (SELECT 1 FROM event_relations own
                        WHERE own.child_nid = p.event_nid AND own.rel_type = 'm.replace')
     ORDER BY e.origin_server_ts DESC, e.event_id DESC LIMIT 1`,
});

export const findLatestOfThread = defineQuery<
  { readonly parentId: string; readonly ignored: string },
  TimelineEntry
>({
  name: 'rooms.find-latest-of-thread',
  sql: `
    SELECT ${ENTRY_COLUMNS}
      FROM events p
      CROSS JOIN event_relations r ON r.parent_id = p.event_id AND r.room_nid = p.room_nid
      JOIN events e ON e.event_nid = r.child_nid
      LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     WHERE p.event_id = :parentId AND r.rel_type = 'm.thread'
       AND r.sender NOT IN (SELECT value FROM json_each(:ignored))
     ORDER BY r.depth DESC, r.child_ordering DESC LIMIT 1`,
});

export const findRelTypeOfEvent = defineQuery<
  { readonly roomNid: number; readonly eventId: string },
  { readonly relType: string }
>({
  name: 'rooms.find-rel-type',
  sql: `
    SELECT r.rel_type AS relType
      FROM events e JOIN event_relations r ON r.child_nid = e.event_nid
     WHERE e.event_id = :eventId AND e.room_nid = :roomNid`,
});

type AnnotationParams = {
  readonly roomNid: number;
  readonly parentId: string;
  readonly sender: string;
  readonly type: string;
  readonly key: string;
};

export const findAnnotation = defineQuery<AnnotationParams, { readonly found: number }>({
  name: 'rooms.find-annotation',
  sql: `
    SELECT 1 AS found FROM event_relations INDEXED BY event_relations_by_annotation
     WHERE parent_id = :parentId AND sender = :sender AND type = :type AND annotation_key = :key
       AND rel_type = 'm.annotation' AND room_nid = :roomNid LIMIT 1`,
});

export const findRelatedBy = defineQuery<
  { readonly eventId: string; readonly senders: string | null; readonly relTypes: string | null },
  { readonly found: number }
>({
  name: 'rooms.find-related-by',
  sql: `
    SELECT 1 AS found
      FROM events p CROSS JOIN event_relations r ON r.parent_id = p.event_id AND r.room_nid = p.room_nid
     WHERE p.event_id = :eventId
       AND (:senders IS NULL OR r.sender IN (SELECT value FROM json_each(:senders)))
       AND (:relTypes IS NULL OR r.rel_type IN (SELECT value FROM json_each(:relTypes))) LIMIT 1`,
});

export const readThreadPlaces = defineQuery<
  {
    readonly roomId: string;
    readonly upTo: number;
    readonly participant: string | null;
    readonly beforeDepth: number;
    readonly beforeOrdering: number;
    readonly limit: number;
  },
  ThreadPlace
>({
  name: 'rooms.read-thread-places',
  // From one root to the next in the index: what it costs grows with the threads of the room, not with what was said in them.
  sql: `
    WITH RECURSIVE
      room (nid) AS (SELECT room_nid FROM rooms WHERE room_id = :roomId),
      roots (nid, root_id) AS (
        SELECT nid, (SELECT min(parent_id) FROM event_relations WHERE room_nid = nid AND rel_type = 'm.thread') FROM room
        UNION ALL
        SELECT nid, (SELECT min(parent_id) FROM event_relations
                      WHERE room_nid = nid AND rel_type = 'm.thread' AND parent_id > root_id)
          FROM roots WHERE root_id IS NOT NULL),
      ends (root_id, last_nid) AS MATERIALIZED (
        SELECT t.root_id, (SELECT l.child_nid FROM event_relations l
                            WHERE l.room_nid = t.nid AND l.parent_id = t.root_id AND l.rel_type = 'm.thread'
                              AND l.child_ordering <= :upTo
                            ORDER BY l.depth DESC, l.child_ordering DESC LIMIT 1)
          FROM roots t
          JOIN events p ON p.event_id = t.root_id AND p.room_nid = t.nid
         WHERE t.root_id IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM event_relations own WHERE own.child_nid = p.event_nid)
           AND (:participant IS NULL OR json_extract(p.pdu, '$.sender') = :participant OR EXISTS (
             SELECT 1 FROM event_relations o
              WHERE o.parent_id = t.root_id AND o.room_nid = t.nid AND o.rel_type = 'm.thread' AND o.sender = :participant
                AND o.child_ordering <= :upTo)))
    SELECT ends.root_id AS rootId, l.depth, l.child_ordering AS streamOrdering
      FROM ends JOIN event_relations l ON l.child_nid = ends.last_nid
     WHERE (l.depth, l.child_ordering) <= (:beforeDepth, :beforeOrdering)
     ORDER BY l.depth DESC, l.child_ordering DESC LIMIT :limit`,
  scans: ['roots', 'room', 'ends', 't'],
});

function paramsOf(range: RelationRange, limit: number): RangeParams {
  const { roomId, parentId, relType, type, from, to } = range;
  return {
    roomId,
    parentId,
    relType,
    type,
    fromDepth: from.depth,
    fromOrdering: from.streamOrdering,
    toDepth: to.depth,
    toOrdering: to.streamOrdering,
    limit,
  };
}

/**
 * Children of an event in the order of /messages: those of its room, redacted ones not among them.
 *
 * @param isDeep children of children as well, {@link RELATION_DEPTH_MAX} steps deep
 */
export function readRelated(
  db: ReadDb,
  range: RelationRange,
  order: { readonly direction: 'backward' | 'forward'; readonly isDeep: boolean },
  limit: number,
): Promise<readonly TimelineEntry[]> {
  const isForward = order.direction === 'forward';
  const deep = isForward ? readRelatedDeepForward : readRelatedDeepBackward;
  const flat = isForward ? readRelatedForward : readRelatedBackward;
  return db.all(order.isDeep ? deep : flat, paramsOf(range, limit));
}

/** What relates to each of the events in ways that are summed up; nothing for those that nothing relates to, and for state. One query for all. */
export async function readRelationGroups(
  db: ReadDb,
  eventIds: readonly string[],
): Promise<readonly RelationGroup[]> {
  const rows = await db.all(readRelationGroupsQuery, { eventIds: JSON.stringify(eventIds) });
  return rows.map((row) => ({ ...row, isRelated: row.isRelated === 1 }));
}

/** The relation type that an event of a room has; undefined when it relates to nothing. */
export async function findRelType(db: ReadDb, roomNid: number, eventId: string): Promise<string | undefined> {
  return (await db.find(findRelTypeOfEvent, { roomNid, eventId }))?.relType;
}

/** True when a user has sent that annotation of that event, and has not taken it back. */
export async function hasAnnotated(db: ReadDb, annotation: AnnotationParams): Promise<boolean> {
  return (await db.find(findAnnotation, annotation)) !== undefined;
}

/**
 * True when an event of the same room relates to an event, by one of the senders and with one of the relation types. Null: by anybody, with any.
 */
export async function isRelatedBy(
  db: ReadDb,
  eventId: string,
  by: { readonly senders: readonly string[] | null; readonly relTypes: readonly string[] | null },
): Promise<boolean> {
  const senders = by.senders === null ? null : JSON.stringify(by.senders);
  const relTypes = by.relTypes === null ? null : JSON.stringify(by.relTypes);
  return (await db.find(findRelatedBy, { eventId, senders, relTypes })) !== undefined;
}
