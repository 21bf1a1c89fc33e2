import { DELAYED_TRANSACTION } from '../../src/matrix/events/delayed-event.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What became of a delayed event. */
export type DelayedOutcome = 'sent' | 'cancelled' | 'failed';

/** Why: somebody wanted it so, or its time had come. */
export type DelayedReason = 'action' | 'delay';

/** An event that is or was to be sent later. Times are milliseconds since the Unix epoch. */
export interface DelayedEvent {
  readonly delayNid: number;
  readonly delayId: string;
  readonly userId: string;
  readonly roomId: string;
  readonly type: string;
  /** Null for message events. */
  readonly stateKey: string | null;
  /** JSON text. */
  readonly content: string;
  /** For how long it is sticky once it is sent (MSC4354), in milliseconds; null: not at all. */
  readonly stickyMs: number | null;
  readonly delayMs: number;
  /** When it was scheduled or last restarted. */
  readonly sinceTs: number;
  /** When it is to be sent; null for what is finalised. */
  readonly dueTs: number | null;
  /** Null, as all that follows, for what is scheduled. */
  readonly finalisedTs: number | null;
  readonly outcome: DelayedOutcome | null;
  readonly reason: DelayedReason | null;
  /** Of what was sent. */
  readonly eventId: string | null;
  /** Of what failed: the body of the refusal, JSON text. */
  readonly error: string | null;
}

const COLUMNS = `
  d.delay_nid AS delayNid, d.delay_id AS delayId, d.user_id AS userId, d.room_id AS roomId, d.type, d.state_key AS stateKey,
  d.content, d.sticky_ms AS stickyMs, d.delay_ms AS delayMs, d.since_ts AS sinceTs, d.due_ts AS dueTs, d.finalised_ts AS finalisedTs, d.outcome,
  d.reason, d.event_id AS eventId, d.error`;

export const oneDelayedEvent = defineQuery<{ readonly delayId: string }, DelayedEvent>({
  name: 'delayed-events.find-event',
  sql: `SELECT ${COLUMNS} FROM delayed_events d WHERE d.delay_id = :delayId`,
});

/** A delayed event, scheduled or finalised. */
export function findDelayedEvent(db: ReadDb, delayId: string): Promise<DelayedEvent | undefined> {
  return db.find(oneDelayedEvent, { delayId });
}

/** Names a client's transaction. */
export type DelayedTransaction = {
  readonly userId: string;
  readonly deviceId: string;
  readonly path: string;
  readonly txnId: string;
};

export const idOfTransaction = defineQuery<DelayedTransaction, { readonly delayId: string }>({
  name: 'delayed-events.find-id-of-transaction',
  sql: `
    SELECT delay_id AS delayId FROM delayed_events
     WHERE user_id = :userId AND device_id = :deviceId AND txn_path = :path AND txn_id = :txnId`,
});

/** What a transaction has scheduled before; undefined for a new one. */
export async function findDelayIdOfTransaction(
  db: ReadDb,
  transaction: DelayedTransaction,
): Promise<string | undefined> {
  return (await db.find(idOfTransaction, transaction))?.delayId;
}

type UserStanding = { readonly scheduled: number; readonly nextDueTs: number | null };

export const standingOfUser = defineQuery<{ readonly userId: string }, UserStanding>({
  name: 'delayed-events.read-standing-of-user',
  sql: `
    SELECT count(*) AS scheduled, min(due_ts) AS nextDueTs FROM delayed_events
     WHERE user_id = :userId AND due_ts IS NOT NULL`,
});

/** How many events of a user are scheduled, and when the next of them is sent. */
export function readStandingOfUser(db: ReadDb, userId: string): Promise<UserStanding> {
  return db.get(standingOfUser, { userId });
}

export const scheduledOfUser = defineQuery<{ readonly userId: string; readonly limit: number }, DelayedEvent>(
  {
    name: 'delayed-events.read-scheduled-of-user',
    sql: `
    SELECT ${COLUMNS} FROM delayed_events d
     WHERE d.user_id = :userId AND d.due_ts IS NOT NULL
     ORDER BY d.due_ts, d.delay_nid LIMIT :limit`,
  },
);

/** What a user has scheduled, in the order in which it is to be sent. */
export function readScheduledOfUser(db: ReadDb, userId: string, limit: number): Promise<DelayedEvent[]> {
  return db.all(scheduledOfUser, { userId, limit });
}

/** Where a page of finalised events begins: after this one, going back. */
export type FinalisedPlace = { readonly finalisedTs: number; readonly delayNid: number };

export const finalisedOfUser = defineQuery<
  FinalisedPlace & { readonly userId: string; readonly limit: number },
  DelayedEvent
>({
  name: 'delayed-events.read-finalised-of-user',
  sql: `
    SELECT ${COLUMNS} FROM delayed_events d
     WHERE d.user_id = :userId AND d.finalised_ts IS NOT NULL
       AND (d.finalised_ts, d.delay_nid) < (:finalisedTs, :delayNid)
     ORDER BY d.finalised_ts DESC, d.delay_nid DESC LIMIT :limit`,
});

/**
 * A page of what became of a user's delayed events, the newest first.
 *
 * @param before null: from the newest
 */
export function readFinalisedOfUser(
  db: ReadDb,
  userId: string,
  before: FinalisedPlace | null,
  limit: number,
): Promise<DelayedEvent[]> {
  const place = before ?? { finalisedTs: Number.MAX_SAFE_INTEGER, delayNid: Number.MAX_SAFE_INTEGER };
  return db.all(finalisedOfUser, { userId, limit, ...place });
}

type Due = { readonly delayId: string };

export const dueEvents = defineQuery<{ readonly now: number; readonly limit: number }, Due>({
  name: 'delayed-events.read-due',
  sql: `
    SELECT delay_id AS delayId FROM delayed_events
     WHERE due_ts <= :now ORDER BY due_ts, delay_nid LIMIT :limit`,
});

/** What is to be sent by now, longest overdue first. */
export async function readDueIds(db: ReadDb, now: number, limit: number): Promise<string[]> {
  return (await db.all(dueEvents, { now, limit })).map(({ delayId }) => delayId);
}

export const nextDue = defineQuery<Record<string, never>, { readonly dueTs: number }>({
  name: 'delayed-events.find-next-due',
  sql: 'SELECT due_ts AS dueTs FROM delayed_events WHERE due_ts IS NOT NULL ORDER BY due_ts LIMIT 1',
});

/** When the next event of all is to be sent; undefined when none is scheduled. */
export async function findNextDueTs(db: ReadDb): Promise<number | undefined> {
  return (await db.find(nextDue, {}))?.dueTs;
}

export const figuresOfScheduled = defineQuery<
  Record<string, never>,
  { readonly scheduled: number; readonly nextDueTs: number | null }
>({
  name: 'delayed-events.read-figures',
  sql: `
    SELECT count(*) AS scheduled, min(due_ts) AS nextDueTs
      FROM delayed_events INDEXED BY delayed_events_by_due WHERE due_ts IS NOT NULL`,
  scans: ['delayed_events'],
});

/** How many events are scheduled in all, and when the next of them is sent. */
export function readDelayedFigures(
  db: ReadDb,
): Promise<{ readonly scheduled: number; readonly nextDueTs: number | null }> {
  return db.get(figuresOfScheduled, {});
}

/** The transaction under which an event of `delayed_events` was sent, where it was: see `DELAYED_TRANSACTION`. */
export const SENT_TRANSACTION = `
  SELECT t.event_nid FROM event_transactions t
   WHERE t.user_nid = (SELECT user_nid FROM user_ids WHERE user_id = d.user_id)
     AND t.device_id = '${DELAYED_TRANSACTION.deviceId}' AND t.path = '${DELAYED_TRANSACTION.path}' AND t.txn_id = d.delay_id`;

export const sentWithoutNote = defineQuery<{ readonly limit: number }, Due>({
  name: 'delayed-events.read-sent-without-note',
  sql: `
    SELECT d.delay_id AS delayId FROM delayed_events d INDEXED BY delayed_events_by_due
     WHERE d.due_ts IS NOT NULL AND EXISTS (${SENT_TRANSACTION})
     ORDER BY d.due_ts, d.delay_nid LIMIT :limit`,
  scans: ['d'],
});

/** What was sent although it still counts as scheduled: a crash came between the two. Reads all that is scheduled. */
export async function readSentWithoutNote(db: ReadDb, limit: number): Promise<string[]> {
  return (await db.all(sentWithoutNote, { limit })).map(({ delayId }) => delayId);
}

const SUPERSEDED = `
    JOIN rooms r ON r.room_id = d.room_id
    JOIN state_keys k ON k.type = d.type AND k.state_key = d.state_key
    JOIN current_state c ON c.room_nid = r.room_nid AND c.state_key_nid = k.state_key_nid
    JOIN events e ON e.event_nid = c.event_nid
   WHERE d.due_ts IS NOT NULL
     AND e.stream_ordering > d.events_position AND json_extract(e.pdu, '$.sender') <> d.user_id`;

/** A place of a room's state. */
export type StatePlace = { readonly roomId: string; readonly type: string; readonly stateKey: string };

export const supersededAtPlace = defineQuery<StatePlace, Due>({
  name: 'delayed-events.read-superseded-at-place',
  sql: `
    SELECT d.delay_id AS delayId FROM delayed_events d ${SUPERSEDED}
     AND d.room_id = :roomId AND d.type = :type AND d.state_key = :stateKey`,
});

/** Delayed state events for a place which somebody else has written since they were scheduled. */
export async function readSupersededAt(db: ReadDb, place: StatePlace): Promise<string[]> {
  return (await db.all(supersededAtPlace, place)).map(({ delayId }) => delayId);
}

export const supersededAnywhere = defineQuery<{ readonly limit: number }, Due>({
  name: 'delayed-events.read-superseded',
  sql: `
    SELECT d.delay_id AS delayId FROM delayed_events d INDEXED BY delayed_events_by_due ${SUPERSEDED}
     LIMIT :limit`,
  scans: ['d'],
});

/** Delayed state events for places which somebody else has written since they were scheduled. Reads all that is scheduled. */
export async function readSuperseded(db: ReadDb, limit: number): Promise<string[]> {
  return (await db.all(supersededAnywhere, { limit })).map(({ delayId }) => delayId);
}

export const idOfEvent = defineQuery<{ readonly eventId: string }, { readonly delayId: string }>({
  name: 'delayed-events.find-id-of-event',
  sql: 'SELECT delay_id AS delayId FROM delayed_events WHERE event_id = :eventId',
});

/** The delay id under which an event was sent, for as long as that is remembered. */
export async function findDelayIdOfEvent(db: ReadDb, eventId: string): Promise<string | undefined> {
  return (await db.find(idOfEvent, { eventId }))?.delayId;
}
