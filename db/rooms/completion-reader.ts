import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import type { GroupLink } from './purge-reader.ts';

type OfRoom = { readonly roomNid: number };
type OfIds = { readonly eventIds: string };

/** That an event was decided about while the state of its room was not whole. */
export interface PlacedEntry {
  /** Of the events stream: at which it was decided. */
  readonly position: number;
  readonly eventNid: number;
  readonly eventId: string;
  /** The state before it was given, whole. */
  readonly isGiven: boolean;
  /** It was rejected for want of auth events. */
  readonly isWaiting: boolean;
  /** As it is stored now. */
  readonly stateGroup: number | null;
  readonly rejection: string | null;
  readonly depth: number;
  readonly receivedFrom: string | null;
  /** The event as it was signed, JSON. */
  readonly pdu: string;
}

type PlacedRow = Omit<PlacedEntry, 'isGiven' | 'isWaiting'> & {
  readonly isGiven: number;
  readonly isWaiting: number;
};

export const readPlacementPage = defineQuery<
  OfRoom & { readonly after: number; readonly limit: number },
  PlacedRow
>({
  name: 'rooms.read-partial-placements',
  sql: `
    SELECT p.position, e.event_nid AS eventNid, e.event_id AS eventId, p.is_given AS isGiven, p.is_waiting AS isWaiting,
           e.state_group AS stateGroup, e.rejection, e.depth, e.received_from AS receivedFrom, e.pdu
      FROM partial_placements p
      JOIN events e ON e.event_nid = p.event_nid
     WHERE p.room_nid = :roomNid AND p.position > :after
     ORDER BY p.position LIMIT :limit`,
});

export const readPlacedAmong = defineQuery<OfIds, { readonly eventId: string }>({
  name: 'rooms.read-placed-among',
  sql: `
    SELECT e.event_id AS eventId
      FROM json_each(:eventIds) wanted
      CROSS JOIN events e ON e.event_id = wanted.value
     WHERE EXISTS (SELECT 1 FROM partial_placements p WHERE p.event_nid = e.event_nid)`,
  scans: ['wanted'],
});

export const findOtherFollower = defineQuery<
  { readonly eventId: string; readonly joinNid: number },
  { readonly found: number }
>({
  name: 'rooms.find-other-follower',
  sql: `
    SELECT 1 AS found
      FROM followed_events f
     WHERE f.event_id = :eventId AND f.follower_nid <> :joinNid
       AND NOT EXISTS (SELECT 1 FROM partial_placements p WHERE p.event_nid = f.follower_nid)
     LIMIT 1`,
});

/** How an event of the graph stands, as it is stored. */
export interface StoredStanding {
  readonly eventNid: number;
  readonly eventId: string;
  readonly rejection: string | null;
  readonly streamOrdering: number | null;
}

export const readStandings = defineQuery<OfRoom & { readonly after: number }, StoredStanding>({
  name: 'rooms.read-partial-standings',
  sql: `
    SELECT DISTINCT e.event_nid AS eventNid, e.event_id AS eventId, e.rejection, e.stream_ordering AS streamOrdering
      FROM partial_placements p
      JOIN events e ON e.event_nid = p.event_nid
     WHERE p.room_nid = :roomNid AND p.position > :after`,
});

/** What was redacted, and by which event. */
export interface AppliedRedaction {
  readonly targetId: string;
  readonly redactionId: string;
}

export const readRedactedBy = defineQuery<OfIds, AppliedRedaction>({
  name: 'rooms.read-redacted-by',
  sql: `
    SELECT t.event_id AS targetId, e.event_id AS redactionId
      FROM json_each(:eventIds) wanted
      CROSS JOIN events e ON e.event_id = wanted.value
      JOIN events t ON t.redacted_by = e.event_nid`,
  scans: ['wanted'],
});

export const readRedactionsOf = defineQuery<OfIds, AppliedRedaction>({
  name: 'rooms.read-redactions-of',
  sql: `
    SELECT t.event_id AS targetId, e.event_id AS redactionId
      FROM json_each(:eventIds) wanted
      CROSS JOIN events t ON t.event_id = wanted.value
      JOIN events e ON e.event_nid = t.redacted_by`,
  scans: ['wanted'],
});

/** What the owner of rooms writes of a member event. */
export interface MemberOfEvent {
  readonly eventId: string;
  readonly membership: string | null;
  readonly sender: string;
}

export const readMembersOfEvents = defineQuery<OfIds, MemberOfEvent>({
  name: 'rooms.read-members-of-events',
  sql: `
    SELECT e.event_id AS eventId, json_extract(e.pdu, '$.content.membership') AS membership,
           json_extract(e.pdu, '$.sender') AS sender
      FROM json_each(:eventIds) wanted CROSS JOIN events e ON e.event_id = wanted.value`,
  scans: ['wanted'],
});

export const readPreparedStates = defineQuery<OfRoom, GroupLink>({
  name: 'rooms.read-prepared-states',
  sql: `
    SELECT g.state_group AS stateGroup, g.parent,
           (SELECT count(*) FROM state_group_entries n WHERE n.state_group = g.state_group) AS entries
      FROM prepared_states p JOIN state_groups g ON g.state_group = p.state_group
     WHERE p.room_nid = :roomNid
     ORDER BY g.state_group`,
});

/** A page of what was decided about in a room whose state is not whole, in that order. */
export async function readPlacements(
  db: ReadDb,
  roomNid: number,
  after: number,
  limit: number,
): Promise<readonly PlacedEntry[]> {
  const rows = await db.all(readPlacementPage, { roomNid, after, limit });
  return rows.map((row) => ({ ...row, isGiven: row.isGiven === 1, isWaiting: row.isWaiting === 1 }));
}

/** Those of the events that were decided about while the state of their room was not whole. */
export async function readPlacedIds(db: ReadDb, eventIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (eventIds.length === 0) return new Set();
  const rows = await db.all(readPlacedAmong, { eventIds: JSON.stringify(eventIds) });
  return new Set(rows.map(({ eventId }) => eventId));
}

/** Whether an accepted event follows this one that was decided about while the state was whole; the join does not count. */
export async function isFollowedByOthers(db: ReadDb, eventId: string, joinNid: number): Promise<boolean> {
  return (await db.find(findOtherFollower, { eventId, joinNid })) !== undefined;
}

/** What some events have redacted. */
export function readAppliedBy(
  db: ReadDb,
  redactionIds: readonly string[],
): Promise<readonly AppliedRedaction[]> {
  return db.all(readRedactedBy, { eventIds: JSON.stringify(redactionIds) });
}

/** By what some events were redacted. */
export function readAppliedTo(
  db: ReadDb,
  targetIds: readonly string[],
): Promise<readonly AppliedRedaction[]> {
  return db.all(readRedactionsOf, { eventIds: JSON.stringify(targetIds) });
}

/** What some member events say. */
export function readMembers(db: ReadDb, eventIds: readonly string[]): Promise<readonly MemberOfEvent[]> {
  return db.all(readMembersOfEvents, { eventIds: JSON.stringify(eventIds) });
}
