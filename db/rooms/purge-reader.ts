import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import type { TopologicalPlace } from './timeline-reader.ts';

/** What decides about an event of the timeline that a purge comes to. */
export interface TimelineCandidate {
  readonly eventNid: number;
  readonly streamOrdering: number;
  readonly depth: number;
  readonly sender: string;
  readonly isState: boolean;
  /** No event has followed it. */
  readonly isExtremity: boolean;
  /** Another event is redacted by it. */
  readonly isRedaction: boolean;
  readonly idBytes: number;
  readonly pduBytes: number;
}

/** What an event needs that is to stay. */
export interface Needs {
  /** Its place in the order in which it was asked for. */
  readonly at: number;
  readonly stateGroup: number | null;
  /** The redaction that was applied to it. */
  readonly redactedBy: number | null;
  /** JSON of `auth_events`; null where the state of the group has them all: of messages that were made here. */
  readonly authEvents: string | null;
}

/** An event outside of the timeline. */
export interface HiddenEvent extends Needs {
  readonly eventNid: number;
  readonly depth: number;
  readonly isState: boolean;
  readonly idBytes: number;
  readonly pduBytes: number;
}

/** An event that is to stay, with what it needs to be authorised and shown. */
export interface KeptEvent {
  readonly eventNid: number;
  readonly eventId: string;
  readonly authEvents: string | null;
  readonly redactedBy: number | null;
}

/** A state group and what it differs from. */
export interface GroupLink {
  readonly stateGroup: number;
  readonly parent: number | null;
  /** Its own entries. */
  readonly entries: number;
}

type Flags<T, Names extends keyof T> = Omit<T, Names> & Readonly<Record<Names, number>>;
type OfRoom = { readonly roomNid: number };
type After = { readonly after: number; readonly limit: number };

type CandidateRow = Flags<TimelineCandidate, 'isState' | 'isExtremity' | 'isRedaction'>;

export const readCandidates = defineQuery<
  OfRoom & {
    readonly fromDepth: number;
    readonly fromOrdering: number;
    readonly toDepth: number;
    readonly toOrdering: number;
    readonly limit: number;
  },
  CandidateRow
>({
  name: 'rooms.purge-read-candidates',
  sql: `
    SELECT e.event_nid AS eventNid, e.stream_ordering AS streamOrdering, e.depth,
           json_extract(e.pdu, '$.sender') AS sender, e.state_key_nid IS NOT NULL AS isState,
           EXISTS (SELECT 1 FROM forward_extremities f
                    WHERE f.room_nid = e.room_nid AND f.event_nid = e.event_nid) AS isExtremity,
           EXISTS (SELECT 1 FROM events t WHERE t.redacted_by = e.event_nid) AS isRedaction,
           octet_length(e.event_id) AS idBytes, octet_length(e.pdu) AS pduBytes
      FROM events e INDEXED BY events_by_topology
     WHERE e.room_nid = :roomNid AND e.stream_ordering IS NOT NULL
       AND (e.depth, e.stream_ordering) > (:fromDepth, :fromOrdering)
       AND (e.depth, e.stream_ordering) < (:toDepth, :toOrdering)
     ORDER BY e.depth, e.stream_ordering LIMIT :limit`,
});

export const readTimelineNeeds = defineQuery<OfRoom & After, Needs>({
  name: 'rooms.purge-read-timeline-needs',
  // The auth events of a message that was made here are in the state before it, which is that after it.
  sql: `
    SELECT e.stream_ordering AS at, e.state_group AS stateGroup, e.redacted_by AS redactedBy,
           CASE WHEN e.state_key_nid IS NOT NULL OR e.received_from IS NOT NULL
                THEN json_extract(e.pdu, '$.auth_events') END AS authEvents
      FROM events e INDEXED BY events_by_timeline
     WHERE e.room_nid = :roomNid AND e.stream_ordering > :after
     ORDER BY e.stream_ordering LIMIT :limit`,
});

/** States that were current and are that of no event. */
export const readResolvedNeeds = defineQuery<
  OfRoom & After,
  { readonly at: number; readonly stateGroup: number }
>({
  name: 'rooms.purge-read-resolved-needs',
  sql: `
    SELECT position AS at, state_group AS stateGroup
      FROM resolved_states
     WHERE room_nid = :roomNid AND position > :after
     ORDER BY position LIMIT :limit`,
});

export const readHiddenEvents = defineQuery<OfRoom & After, Flags<HiddenEvent, 'isState'>>({
  name: 'rooms.purge-read-hidden-events',
  sql: `
    SELECT e.event_nid AS at, e.event_nid AS eventNid, e.depth, e.state_key_nid IS NOT NULL AS isState,
           e.state_group AS stateGroup, e.redacted_by AS redactedBy, json_extract(e.pdu, '$.auth_events') AS authEvents,
           octet_length(e.event_id) AS idBytes, octet_length(e.pdu) AS pduBytes
      FROM events e INDEXED BY events_outside_of_timeline
     WHERE e.room_nid = :roomNid AND e.event_nid > :after AND e.stream_ordering IS NULL
     ORDER BY e.event_nid LIMIT :limit`,
});

export const readGroupLinks = defineQuery<OfRoom & After, GroupLink>({
  name: 'rooms.purge-read-groups',
  sql: `
    SELECT g.state_group AS stateGroup, g.parent,
           (SELECT count(*) FROM state_group_entries n WHERE n.state_group = g.state_group) AS entries
      FROM state_groups g INDEXED BY state_groups_by_room
     WHERE g.room_nid = :roomNid AND g.state_group > :after
     ORDER BY g.state_group LIMIT :limit`,
});

export const readGroupEntries = defineQuery<
  OfRoom & { readonly afterGroup: number; readonly afterKey: number; readonly limit: number },
  { readonly stateGroup: number; readonly stateKeyNid: number; readonly eventNid: number | null }
>({
  name: 'rooms.purge-read-group-entries',
  sql: `
    SELECT g.state_group AS stateGroup, n.state_key_nid AS stateKeyNid, n.event_nid AS eventNid
      FROM state_groups g INDEXED BY state_groups_by_room
      CROSS JOIN state_group_entries n ON n.state_group = g.state_group
     WHERE g.room_nid = :roomNid AND g.state_group >= :afterGroup
       AND (n.state_group, n.state_key_nid) > (:afterGroup, :afterKey)
     ORDER BY g.state_group, n.state_key_nid LIMIT :limit`,
});

export const findLastKeyOfPage = defineQuery<
  { readonly stateGroup: number } & After,
  { readonly stateKeyNid: number | null; readonly entries: number }
>({
  name: 'rooms.purge-find-end-of-entries',
  sql: `
    SELECT max(state_key_nid) AS stateKeyNid, count(*) AS entries
      FROM (SELECT state_key_nid FROM state_group_entries
             WHERE state_group = :stateGroup AND state_key_nid > :after
             ORDER BY state_key_nid LIMIT :limit) page`,
  scans: ['page'],
});

export const readCurrentEventNids = defineQuery<
  OfRoom & After,
  { readonly at: number; readonly eventNid: number }
>({
  name: 'rooms.purge-read-current-state',
  sql: `
    SELECT state_key_nid AS at, event_nid AS eventNid FROM current_state
     WHERE room_nid = :roomNid AND state_key_nid > :after ORDER BY state_key_nid LIMIT :limit`,
});

export const readMembershipEventNids = defineQuery<OfRoom, { readonly eventNid: number }>({
  name: 'rooms.purge-read-membership-events',
  sql: 'SELECT event_nid AS eventNid FROM local_memberships WHERE room_nid = :roomNid',
});

export const readExtremityNids = defineQuery<OfRoom, { readonly eventNid: number }>({
  name: 'rooms.purge-read-extremities',
  sql: 'SELECT event_nid AS eventNid FROM forward_extremities WHERE room_nid = :roomNid',
});

const KEPT_COLUMNS = `
    SELECT e.event_nid AS eventNid, e.event_id AS eventId, json_extract(e.pdu, '$.auth_events') AS authEvents,
           e.redacted_by AS redactedBy`;

export const readKeptByNid = defineQuery<{ readonly eventNids: string }, KeptEvent>({
  name: 'rooms.purge-read-kept-by-nid',
  sql: `${KEPT_COLUMNS}
      FROM json_each(:eventNids) wanted CROSS JOIN events e ON e.event_nid = wanted.value`,
  scans: ['wanted'],
});

export const readKeptById = defineQuery<{ readonly eventIds: string }, KeptEvent>({
  name: 'rooms.purge-read-kept-by-id',
  sql: `${KEPT_COLUMNS}
      FROM json_each(:eventIds) wanted CROSS JOIN events e ON e.event_id = wanted.value`,
  scans: ['wanted'],
});

export const findPurgeEnd = defineQuery<{ readonly roomId: string }, { readonly upTo: number }>({
  name: 'rooms.find-purge-end',
  sql: `
    SELECT p.up_to AS upTo FROM rooms r JOIN purged_histories p ON p.room_nid = r.room_nid WHERE r.room_id = :roomId`,
});

export const findFirstEventAt = defineQuery<
  { readonly roomId: string; readonly ts: number },
  { readonly eventId: string }
>({
  name: 'rooms.purge-find-event-at',
  // In the order of arrival: clocks of servers differ, so that their times have none.
  sql: `
    SELECT e.event_id AS eventId
      FROM events e INDEXED BY events_by_timeline
     WHERE e.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId) AND e.stream_ordering IS NOT NULL
       AND e.rejection IS NULL AND e.origin_server_ts >= :ts
     ORDER BY e.stream_ordering LIMIT 1`,
});

export const findNewestEvent = defineQuery<{ readonly roomId: string }, { readonly eventId: string }>({
  name: 'rooms.purge-find-newest-event',
  sql: `
    SELECT e.event_id AS eventId
      FROM events e INDEXED BY events_by_timeline
     WHERE e.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId) AND e.stream_ordering IS NOT NULL
       AND e.rejection IS NULL
     ORDER BY e.stream_ordering DESC LIMIT 1`,
});

export const readFreePages = defineQuery<
  Record<string, never>,
  { readonly freePages: number; readonly pages: number; readonly pageBytes: number }
>({
  name: 'rooms.purge-read-free-pages',
  sql: `
    SELECT f.freelist_count AS freePages, c.page_count AS pages, s.page_size AS pageBytes
      FROM pragma_freelist_count f, pragma_page_count c, pragma_page_size s`,
});

/** A page of the timeline before `before`, in the order of `/messages`, oldest first, going on after `from`. */
export async function readTimelineCandidates(
  db: ReadDb,
  roomNid: number,
  from: TopologicalPlace,
  before: TopologicalPlace,
  limit: number,
): Promise<readonly TimelineCandidate[]> {
  const rows = await db.all(readCandidates, {
    roomNid,
    fromDepth: from.depth,
    fromOrdering: from.streamOrdering,
    toDepth: before.depth,
    toOrdering: before.streamOrdering,
    limit,
  });
  return rows.map((row) => ({
    ...row,
    isState: row.isState === 1,
    isExtremity: row.isExtremity === 1,
    isRedaction: row.isRedaction === 1,
  }));
}

/** A page of what lies outside of a room's timeline, in the order in which it was stored. */
export async function readHiddenPage(
  db: ReadDb,
  roomNid: number,
  after: number,
  limit: number,
): Promise<readonly HiddenEvent[]> {
  const rows = await db.all(readHiddenEvents, { roomNid, after, limit });
  return rows.map((row) => ({ ...row, isState: row.isState === 1 }));
}

/** Up to where events of a room's timeline were deleted, on the events stream; null where none were. */
export async function readPurgedUpTo(db: ReadDb, roomId: string): Promise<number | null> {
  return (await db.find(findPurgeEnd, { roomId }))?.upTo ?? null;
}

/**
 * The event that a purge by time stops at: the first of the timeline, in the order of arrival, that is not older than `ts`, or the newest where
 * all are older. Cost: the events that are older.
 *
 * @param ts milliseconds since the Unix epoch; null for "all but the newest"
 * @returns undefined for a room without a timeline
 */
export async function findPurgeEvent(
  db: ReadDb,
  roomId: string,
  ts: number | null,
): Promise<string | undefined> {
  const first = ts === null ? undefined : await db.find(findFirstEventAt, { roomId, ts });
  return (first ?? (await db.find(findNewestEvent, { roomId })))?.eventId;
}
