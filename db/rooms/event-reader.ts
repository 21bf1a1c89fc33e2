import { DELAYED_TRANSACTION } from '../../src/matrix/events/delayed-event.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/**
 * Why an event is kept and not shown. `rejected`: the authorisation rules forbid it at its auth events or at the state before it.
 * `soft-failed`: they allow it there and forbid it at the current state. `held`: a redaction whose target is not known or that may
 * not redact it. Server-Server API v1.19, "Checks performed on receipt of a PDU"; room version 3, "Handling redactions".
 */
export type Rejection = 'rejected' | 'soft-failed' | 'held';

/** An event as it is stored, the redaction that was applied to it beside it. */
export interface StoredEvent {
  /** The position at which it was first stored. */
  readonly eventNid: number;
  readonly eventId: string;
  readonly roomId: string;
  readonly roomVersion: string;
  /** Its place in the timeline; null while it is an outlier or rejected. */
  readonly streamOrdering: number | null;
  readonly depth: number;
  readonly type: string;
  /** Null for message events. */
  readonly stateKey: string | null;
  readonly sender: string;
  readonly originServerTs: number;
  /** The state after this event; null for outliers. */
  readonly stateGroup: number | null;
  /** Null for an accepted event; otherwise one of {@link Rejection}, `: ` and the reason. Such an event is not for clients. */
  readonly rejection: string | null;
  /** The server that gave it to us; null: it was made here. */
  readonly receivedFrom: string | null;
  /** The event as it was signed, JSON: not redacted, whatever `redactedBy` says. */
  readonly pdu: string;
  /** The redaction that was applied to it, as it was signed. */
  readonly redactedBy: { readonly eventId: string; readonly pdu: string } | null;
}

/** The row behind a {@link StoredEvent}. */
export interface StoredEventRow extends Omit<StoredEvent, 'redactedBy'> {
  readonly redactionId: string | null;
  readonly redactionPdu: string | null;
}

/** The columns of a {@link StoredEventRow}; goes with {@link STORED_EVENT_JOINS}. */
export const STORED_EVENT_COLUMNS = `
  e.event_nid AS eventNid, e.event_id AS eventId, r.room_id AS roomId, r.room_version AS roomVersion,
  e.stream_ordering AS streamOrdering, e.depth AS depth,
  CASE WHEN k.type IS NULL THEN json_extract(e.pdu, '$.type') ELSE k.type END AS type, k.state_key AS stateKey,
  json_extract(e.pdu, '$.sender') AS sender, e.origin_server_ts AS originServerTs, e.state_group AS stateGroup,
  e.rejection AS rejection, e.received_from AS receivedFrom, e.pdu AS pdu, red.event_id AS redactionId, red.pdu AS redactionPdu`;

/** What {@link STORED_EVENT_COLUMNS} need beside `events e`. */
export const STORED_EVENT_JOINS = `
  JOIN rooms r ON r.room_nid = e.room_nid
  LEFT JOIN state_keys k ON k.state_key_nid = e.state_key_nid
  LEFT JOIN events red ON red.event_nid = e.redacted_by`;

/** Makes an event of its row. */
export function toStoredEvent(row: StoredEventRow): StoredEvent {
  const { redactionId, redactionPdu, ...event } = row;
  const redactedBy =
    redactionId === null || redactionPdu === null ? null : { eventId: redactionId, pdu: redactionPdu };
  return { ...event, redactedBy };
}

export const findEventById = defineQuery<{ readonly eventId: string }, StoredEventRow>({
  name: 'rooms.find-event',
  sql: `SELECT ${STORED_EVENT_COLUMNS} FROM events e ${STORED_EVENT_JOINS} WHERE e.event_id = :eventId`,
});

export const readEventsById = defineQuery<{ readonly eventIds: string }, StoredEventRow>({
  name: 'rooms.read-events',
  sql: `
    SELECT ${STORED_EVENT_COLUMNS}
      FROM json_each(:eventIds) wanted CROSS JOIN events e ON e.event_id = wanted.value ${STORED_EVENT_JOINS}`,
  scans: ['wanted'],
});

export const readTransactionIds = defineQuery<
  { readonly userId: string; readonly deviceId: string; readonly eventNids: string },
  { readonly eventNid: number; readonly path: string; readonly txnId: string }
>({
  name: 'rooms.read-transaction-ids',
  sql: `
    SELECT t.event_nid AS eventNid, t.path, t.txn_id AS txnId
      FROM json_each(:eventNids) wanted
      CROSS JOIN event_transactions t ON t.event_nid = wanted.value
     WHERE t.user_nid = (SELECT user_nid FROM user_ids WHERE user_id = :userId)
       AND t.device_id IN (:deviceId, '${DELAYED_TRANSACTION.deviceId}')`,
  scans: ['wanted'],
});

/** An event in whatever state it is stored: outliers and rejected ones too, see `streamOrdering` and `rejection`. */
export async function findEvent(db: ReadDb, eventId: string): Promise<StoredEvent | undefined> {
  const row = await db.find(findEventById, { eventId });
  return row === undefined ? undefined : toStoredEvent(row);
}

/** Those of the events that are stored, by id. */
export async function readEvents(
  db: ReadDb,
  eventIds: readonly string[],
): Promise<ReadonlyMap<string, StoredEvent>> {
  if (eventIds.length === 0) return new Map();
  const rows = await db.all(readEventsById, { eventIds: JSON.stringify(eventIds) });
  return new Map(rows.map((row) => [row.eventId, toStoredEvent(row)]));
}

/** As what an event was sent: in a transaction of the asking device, or as a delayed event of its user. */
export interface SentAs {
  readonly kind: 'transaction' | 'delayed';
  readonly id: string;
}

/**
 * Transaction ids of those of the events that this device of this user has sent, and delay ids of those that were sent for the user, by
 * `eventNid`: for `unsigned`. Client-Server API v1.19, "Local echo"; MSC4140.
 */
export async function findTransactionIds(
  db: ReadDb,
  userId: string,
  deviceId: string,
  eventNids: readonly number[],
): Promise<ReadonlyMap<number, SentAs>> {
  if (eventNids.length === 0) return new Map();
  const params = { userId, deviceId, eventNids: JSON.stringify(eventNids) };
  const rows = await db.all(readTransactionIds, params);
  return new Map(
    rows.map(({ eventNid, path, txnId: id }) => {
      const kind = path === DELAYED_TRANSACTION.path ? 'delayed' : 'transaction';
      return [eventNid, { kind, id }];
    }),
  );
}
