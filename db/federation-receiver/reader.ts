import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

export const findAnswerOfTransaction = defineQuery<
  { readonly origin: string; readonly txnId: string },
  { readonly answer: string }
>({
  name: 'federation-receiver.find-answer',
  sql: 'SELECT answer FROM received_transactions WHERE origin = :origin AND txn_id = :txnId',
});

/** What a transaction of another server was answered with, JSON; undefined when it did not come, or long ago. */
export async function findAnswer(db: ReadDb, origin: string, txnId: string): Promise<string | undefined> {
  return (await db.find(findAnswerOfTransaction, { origin, txnId }))?.answer;
}

/** An event of another server whose place is not known yet. */
export interface WaitingEvent {
  readonly eventId: string;
  readonly roomId: string;
  /** The server that gave it to us. */
  readonly origin: string;
  /** JSON. */
  readonly pdu: string;
  /** Milliseconds since the Unix epoch. */
  readonly receivedTs: number;
}

export const waitingEvents = defineQuery<
  { readonly after: string; readonly limit: number },
  Omit<WaitingEvent, 'pdu'>
>({
  name: 'federation-receiver.read-waiting',
  sql: `
    SELECT event_id AS eventId, room_id AS roomId, origin, received_ts AS receivedTs
      FROM waiting_events WHERE event_id > :after ORDER BY event_id LIMIT :limit`,
});

/** Events that wait, by id, after one of them, without what they say. */
export function readWaiting(
  db: ReadDb,
  after: string,
  limit: number,
): Promise<readonly Omit<WaitingEvent, 'pdu'>[]> {
  return db.all(waitingEvents, { after, limit });
}

export const waitingEventsById = defineQuery<{ readonly eventIds: string }, WaitingEvent>({
  name: 'federation-receiver.read-waiting-by-id',
  sql: `
    SELECT w.event_id AS eventId, w.room_id AS roomId, w.origin, w.pdu, w.received_ts AS receivedTs
      FROM json_each(:eventIds) wanted CROSS JOIN waiting_events w ON w.event_id = wanted.value`,
  scans: ['wanted'],
});

/** Those of the events that wait. */
export function readWaitingById(db: ReadDb, eventIds: readonly string[]): Promise<readonly WaitingEvent[]> {
  return db.all(waitingEventsById, { eventIds: JSON.stringify(eventIds) });
}
