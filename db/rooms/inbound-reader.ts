import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What is known of an event before it is looked at, and of who waits for it. */
export interface Receipt {
  /** Null: it is not stored. */
  readonly eventNid: number | null;
  /** Of the stored event. */
  readonly roomNid: number | null;
  /** Null: it is not stored, or outside of the timeline. */
  readonly stateGroup: number | null;
  readonly rejection: string | null;
  /** It is stored as rejected until its auth events come. */
  readonly isWaiting: boolean;
  /** Others are rejected until it comes. */
  readonly isAwaited: boolean;
  /** Redactions of it came before it. */
  readonly isRedactionTarget: boolean;
  /** An accepted event follows it, directly or through hidden ones. */
  readonly isFollowed: boolean;
  /** A local user is in the room. */
  readonly isJoined: boolean;
}

/** A stored event that another one names. */
export interface KnownEvent {
  readonly eventId: string;
  readonly roomId: string;
  /** Null for outliers. */
  readonly stateGroup: number | null;
  readonly rejection: string | null;
  /** It is rejected for want of auth events. */
  readonly isWaiting: boolean;
  readonly isRedacted: boolean;
  /** The event as it was signed, JSON. */
  readonly pdu: string;
}

type Flags<T, Names extends keyof T> = Omit<T, Names> & Readonly<Record<Names, number>>;

type ReceiptRow = Flags<Receipt, 'isWaiting' | 'isAwaited' | 'isRedactionTarget' | 'isFollowed' | 'isJoined'>;
type KnownEventRow = Flags<KnownEvent, 'isWaiting' | 'isRedacted'>;

export const readReceiptOfEvent = defineQuery<
  { readonly eventId: string; readonly roomNid: number },
  ReceiptRow
>({
  name: 'rooms.read-receipt',
  sql: `
    SELECT e.event_nid AS eventNid, e.room_nid AS roomNid, e.state_group AS stateGroup, e.rejection,
           EXISTS (SELECT 1 FROM missing_auth_events WHERE waiting_nid = e.event_nid) AS isWaiting,
           EXISTS (SELECT 1 FROM missing_auth_events WHERE event_id = wanted.event_id) AS isAwaited,
           EXISTS (SELECT 1 FROM held_redactions WHERE target_event_id = wanted.event_id) AS isRedactionTarget,
           EXISTS (SELECT 1 FROM followed_events WHERE event_id = wanted.event_id) AS isFollowed,
           EXISTS (SELECT 1 FROM local_memberships WHERE room_nid = :roomNid AND membership = 'join') AS isJoined
      FROM (SELECT :eventId AS event_id) wanted LEFT JOIN events e ON e.event_id = wanted.event_id`,
  scans: ['wanted'],
});

const KNOWN_EVENT_COLUMNS = `
  e.event_id AS eventId, r.room_id AS roomId, e.state_group AS stateGroup, e.rejection,
  EXISTS (SELECT 1 FROM missing_auth_events WHERE waiting_nid = e.event_nid) AS isWaiting,
  e.redacted_by IS NOT NULL AS isRedacted, e.pdu`;

export const readKnownEventsById = defineQuery<{ readonly eventIds: string }, KnownEventRow>({
  name: 'rooms.read-known-events',
  sql: `
    SELECT ${KNOWN_EVENT_COLUMNS}
      FROM json_each(:eventIds) wanted
      CROSS JOIN events e ON e.event_id = wanted.value
      JOIN rooms r ON r.room_nid = e.room_nid`,
  scans: ['wanted'],
});

export const readHeldRedactionsOf = defineQuery<{ readonly eventId: string }, KnownEventRow>({
  name: 'rooms.read-held-redactions',
  sql: `
    SELECT ${KNOWN_EVENT_COLUMNS}
      FROM held_redactions h
      JOIN events e ON e.event_nid = h.redaction_nid
      JOIN rooms r ON r.room_nid = e.room_nid
     WHERE h.target_event_id = :eventId
     ORDER BY h.redaction_nid`,
});

export const readAwaitedIdsOf = defineQuery<{ readonly eventIds: string }, { readonly eventId: string }>({
  name: 'rooms.read-awaited-events',
  sql: `
    SELECT wanted.value AS eventId
      FROM json_each(:eventIds) wanted
     WHERE EXISTS (SELECT 1 FROM missing_auth_events WHERE event_id = wanted.value)
        OR EXISTS (SELECT 1 FROM held_redactions WHERE target_event_id = wanted.value)`,
  scans: ['wanted'],
});

/** Events of which nothing that they wait for is still to come, by the event that came. */
const SETTLED = `
           NOT EXISTS (
             SELECT 1
               FROM missing_auth_events other
               LEFT JOIN events a ON a.event_id = other.event_id
              WHERE other.waiting_nid = m.waiting_nid
                AND (a.event_nid IS NULL
                     OR EXISTS (SELECT 1 FROM missing_auth_events own WHERE own.waiting_nid = a.event_nid)))`;

export const readSettledWaitingOf = defineQuery<
  { readonly eventIds: string },
  {
    readonly eventId: string;
    readonly receivedFrom: string | null;
    readonly pdu: string;
    readonly stateGroup: number | null;
  }
>({
  name: 'rooms.read-settled-waiting',
  sql: `
    SELECT DISTINCT w.event_id AS eventId, w.received_from AS receivedFrom, w.pdu, w.state_group AS stateGroup
      FROM json_each(:eventIds) wanted
      CROSS JOIN missing_auth_events m ON m.event_id = wanted.value
      JOIN events w ON w.event_nid = m.waiting_nid
     WHERE ${SETTLED}`,
  scans: ['wanted'],
});

export const readSettledEvents = defineQuery<
  { readonly limit: number },
  { readonly roomId: string; readonly eventId: string }
>({
  name: 'rooms.read-settled-events',
  sql: `
    SELECT DISTINCT r.room_id AS roomId, m.event_id AS eventId
      FROM missing_auth_events m
      JOIN events e ON e.event_id = m.event_id
      JOIN rooms r ON r.room_nid = e.room_nid
     WHERE NOT EXISTS (SELECT 1 FROM missing_auth_events own WHERE own.waiting_nid = e.event_nid)
     LIMIT :limit`,
  // Once per start.
  scans: ['missing_auth_events'],
});

function toKnownEvent(row: KnownEventRow): KnownEvent {
  return { ...row, isWaiting: row.isWaiting === 1, isRedacted: row.isRedacted === 1 };
}

/** What decides how an event of another server is taken in: one read, whatever the event. */
export async function readReceipt(db: ReadDb, eventId: string, roomNid: number): Promise<Receipt> {
  const row = await db.get(readReceiptOfEvent, { eventId, roomNid });
  return {
    ...row,
    isWaiting: row.isWaiting === 1,
    isAwaited: row.isAwaited === 1,
    isRedactionTarget: row.isRedactionTarget === 1,
    isFollowed: row.isFollowed === 1,
    isJoined: row.isJoined === 1,
  };
}

/** Those of the events that are stored, by id. */
export async function readKnownEvents(
  db: ReadDb,
  eventIds: readonly string[],
): Promise<ReadonlyMap<string, KnownEvent>> {
  if (eventIds.length === 0) return new Map();
  const rows = await db.all(readKnownEventsById, { eventIds: JSON.stringify(eventIds) });
  return new Map(rows.map((row) => [row.eventId, toKnownEvent(row)]));
}

/** The redactions that came before their target, the oldest first. */
export async function readHeldRedactions(db: ReadDb, eventId: string): Promise<readonly KnownEvent[]> {
  return (await db.all(readHeldRedactionsOf, { eventId })).map(toKnownEvent);
}

/** Those of the events that others wait for: to authorise them, or to redact them. */
export async function readAwaitedIds(db: ReadDb, eventIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (eventIds.length === 0) return new Set();
  const rows = await db.all(readAwaitedIdsOf, { eventIds: JSON.stringify(eventIds) });
  return new Set(rows.map(({ eventId }) => eventId));
}

/** An event that waited for its auth events, all of which have come. */
export interface WaitingEvent {
  readonly eventId: string;
  readonly receivedFrom: string | null;
  readonly pdu: string;
  /** Null: it was received outside of the timeline. */
  readonly stateGroup: number | null;
}

/** Of the events that wait for one of `eventIds`, those for which nothing is missing any more. */
export function readSettledWaiting(
  db: ReadDb,
  eventIds: readonly string[],
): Promise<readonly WaitingEvent[]> {
  return db.all(readSettledWaitingOf, { eventIds: JSON.stringify(eventIds) });
}

/** Events that have come, and that others still wait for: what a crash has left between the two writes. */
export function readSettled(
  db: ReadDb,
  limit: number,
): Promise<readonly { readonly roomId: string; readonly eventId: string }[]> {
  return db.all(readSettledEvents, { limit });
}
