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

/** An event that was made here. */
export interface OwnEvent {
  readonly eventNid: number;
  readonly eventId: string;
  readonly roomId: string;
  /** Of a member event: whose it is. */
  readonly memberId: string | null;
  readonly membership: string | null;
  /** The state after it; null for an outlier. */
  readonly stateGroup: number | null;
}

export const outgoingEvents = defineQuery<{ readonly eventNids: string }, OutgoingEvent>({
  name: 'federation-sender.read-outgoing',
  sql: `
    SELECT e.event_nid AS eventNid, e.event_id AS eventId, r.room_version AS roomVersion, e.pdu AS pdu,
           e.redacted_by IS NOT NULL AS isRedacted
      FROM json_each(:eventNids) wanted
     CROSS JOIN events e ON e.event_nid = wanted.value
      JOIN rooms r ON r.room_nid = e.room_nid`,
  scans: ['wanted'],
});

/** The leaves with which a room that was deleted ended for our users: all that is left of it. */
export const outgoingLeaves = defineQuery<{ readonly eventNids: string }, OutgoingEvent>({
  name: 'federation-sender.read-outgoing-leaves',
  sql: `
    SELECT m.position AS eventNid, m.event_id AS eventId, m.room_version AS roomVersion, m.pdu AS pdu, 0 AS isRedacted
      FROM json_each(:eventNids) wanted
     CROSS JOIN ended_memberships m ON m.position = wanted.value`,
  scans: ['wanted'],
});

/** Those of the events that there are still, by their numbers. */
export async function readOutgoingEvents(
  db: ReadDb,
  eventNids: readonly number[],
): Promise<ReadonlyMap<number, OutgoingEvent>> {
  if (eventNids.length === 0) return new Map();
  const found = await db.all(outgoingEvents, { eventNids: JSON.stringify(eventNids) });
  const events = new Map(found.map((event) => [event.eventNid, event]));
  const missing = eventNids.filter((eventNid) => !events.has(eventNid));
  if (missing.length === 0) return events;
  const leaves = await db.all(outgoingLeaves, { eventNids: JSON.stringify(missing) });
  for (const leave of leaves) events.set(leave.eventNid, leave);
  return events;
}

export const ownEvents = defineQuery<{ readonly after: number; readonly limit: number }, OwnEvent>({
  name: 'federation-sender.read-own-events',
  sql: `
    SELECT e.event_nid AS eventNid, e.event_id AS eventId, r.room_id AS roomId, e.state_group AS stateGroup,
           CASE k.type WHEN 'm.room.member' THEN k.state_key END AS memberId,
           CASE k.type WHEN 'm.room.member' THEN json_extract(e.pdu, '$.content.membership') END AS membership
      FROM events e
      JOIN rooms r ON r.room_nid = e.room_nid
      LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
     WHERE e.event_nid > :after AND e.received_from IS NULL
     ORDER BY e.event_nid LIMIT :limit`,
});

/** Events that were made here, by number, after one of them. */
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
