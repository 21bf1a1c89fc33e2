import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** An event as it goes to other servers. */
export interface OutgoingEvent {
  readonly eventNid: number;
  readonly eventId: string;
  readonly roomVersion: string;
  /** JSON, as it was signed. */
  readonly pdu: string;
  /** 1: a redaction was applied to it since. */
  readonly isRedacted: 0 | 1;
}

/** An event that this server sends: one that was made here, or one that came through it. */
export interface OwnEvent {
  /** Its position on the events stream. */
  readonly eventNid: number;
  readonly eventId: string;
  readonly roomId: string;
  readonly sender: string;
  /** 1: another server has made it, and gave it to this one to send on. */
  readonly isRelayed: 0 | 1;
  /** Of a member event: whose it is. */
  readonly memberId: string | null;
  readonly membership: string | null;
  /** The state after it; null for an outlier. */
  readonly stateGroup: number | null;
}

type OfNumbers = { readonly eventNids: string };

const OUTGOING_COLUMNS = `
           wanted.value AS eventNid, e.event_id AS eventId, r.room_version AS roomVersion, e.pdu AS pdu,
           e.redacted_by IS NOT NULL AS isRedacted`;

export const outgoingEvents = defineQuery<OfNumbers, OutgoingEvent>({
  name: 'federation-sender.read-outgoing',
  sql: `
    SELECT ${OUTGOING_COLUMNS}
      FROM json_each(:eventNids) wanted
     CROSS JOIN events e ON e.event_nid = wanted.value
      JOIN rooms r ON r.room_nid = e.room_nid
     WHERE e.stream_ordering IS NULL OR e.stream_ordering = e.event_nid`,
  scans: ['wanted'],
});

/** Those that were stored before they came into the timeline: their number is not their position. */
export const outgoingLateEvents = defineQuery<OfNumbers, OutgoingEvent>({
  name: 'federation-sender.read-outgoing-late',
  sql: `
    SELECT ${OUTGOING_COLUMNS}
      FROM json_each(:eventNids) wanted
     CROSS JOIN events e ON e.stream_ordering = wanted.value
      JOIN rooms r ON r.room_nid = e.room_nid`,
  scans: ['wanted'],
});

/** The leaves with which a room that was deleted ended for our users: all that is left of it. */
export const outgoingLeaves = defineQuery<OfNumbers, OutgoingEvent>({
  name: 'federation-sender.read-outgoing-leaves',
  sql: `
    SELECT m.position AS eventNid, m.event_id AS eventId, m.room_version AS roomVersion, m.pdu AS pdu, 0 AS isRedacted
      FROM json_each(:eventNids) wanted
     CROSS JOIN ended_memberships m ON m.position = wanted.value`,
  scans: ['wanted'],
});

/** Those of the events that there are still, by their positions. */
export async function readOutgoingEvents(
  db: ReadDb,
  eventNids: readonly number[],
): Promise<ReadonlyMap<number, OutgoingEvent>> {
  const events = new Map<number, OutgoingEvent>();
  for (const query of [outgoingEvents, outgoingLateEvents, outgoingLeaves]) {
    const missing = eventNids.filter((eventNid) => !events.has(eventNid));
    if (missing.length === 0) break;
    // Each looks for what those before it did not find, which is hardly ever anything.
    for (const event of await db.all(query, { eventNids: JSON.stringify(missing) }))
      events.set(event.eventNid, event);
  }
  return events;
}

const OWN_COLUMNS = `
           e.event_id AS eventId, r.room_id AS roomId, json_extract(e.pdu, '$.sender') AS sender,
           coalesce(e.is_relayed, 0) AS isRelayed, e.state_group AS stateGroup,
           CASE k.type WHEN 'm.room.member' THEN k.state_key END AS memberId,
           CASE k.type WHEN 'm.room.member' THEN json_extract(e.pdu, '$.content.membership') END AS membership
      FROM events e
      JOIN rooms r ON r.room_nid = e.room_nid
      LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid`;

export const ownEvents = defineQuery<{ readonly after: number; readonly limit: number }, OwnEvent>({
  name: 'federation-sender.read-own-events',
  sql: `
    SELECT * FROM (
      SELECT e.event_nid AS eventNid, ${OWN_COLUMNS}
       WHERE e.event_nid > :after AND (e.received_from IS NULL OR e.is_relayed = 1)
         AND (e.stream_ordering IS NULL OR e.stream_ordering = e.event_nid)
       ORDER BY e.event_nid LIMIT :limit)
    UNION ALL
    SELECT * FROM (
      SELECT e.stream_ordering AS eventNid, ${OWN_COLUMNS}
       WHERE e.stream_ordering > :after AND e.is_relayed = 1 AND e.stream_ordering <> e.event_nid
       ORDER BY e.stream_ordering LIMIT :limit)
    ORDER BY 1 LIMIT :limit`,
});

/** Events that this server sends, by their positions, after one of them. */
export function readOwnEvents(db: ReadDb, after: number, limit: number): Promise<OwnEvent[]> {
  return db.all(ownEvents, { after, limit });
}

export const newestEvent = defineQuery<Record<string, never>, { readonly eventNid: number }>({
  name: 'federation-sender.find-newest-event',
  sql: 'SELECT event_nid AS eventNid FROM events ORDER BY event_nid DESC LIMIT 1',
  // The first of the descending order is all that is read.
  scans: ['events'],
});

/** The number of the newest event; 0 when there is none. */
export async function findNewestEvent(db: ReadDb): Promise<number> {
  return (await db.find(newestEvent, {}))?.eventNid ?? 0;
}
