import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import type { WaitingEvent } from './reader.ts';

/** Answers that are remembered for one server: it sends one transaction after the other, and only the last one again. */
export const ANSWERS_PER_ORIGIN_MAX = 20;
/** How long an answer is remembered, in milliseconds. */
export const ANSWER_KEPT_MS = 7 * 24 * 60 * 60 * 1_000;
/** Answers of other servers that one write forgets. */
const FORGOTTEN_AT_ONCE = 10;

export const insertAnswer = defineQuery<{
  readonly origin: string;
  readonly txnId: string;
  readonly answer: string;
  readonly now: number;
}>({
  name: 'federation-receiver.insert-answer',
  sql: `
    INSERT OR REPLACE INTO received_transactions (origin, txn_id, answer, received_ts)
    VALUES (:origin, :txnId, :answer, :now)`,
});

export const deleteOlderAnswers = defineQuery<{ readonly origin: string; readonly kept: number }>({
  name: 'federation-receiver.delete-older-answers',
  sql: `
    DELETE FROM received_transactions
     WHERE origin = :origin
       AND received_ts < (SELECT received_ts FROM received_transactions
                           WHERE origin = :origin ORDER BY received_ts DESC LIMIT 1 OFFSET :kept - 1)`,
});

export const deleteOldAnswers = defineQuery<{ readonly before: number; readonly limit: number }>({
  name: 'federation-receiver.delete-old-answers',
  sql: `
    DELETE FROM received_transactions
     WHERE (origin, txn_id) IN (
       SELECT origin, txn_id FROM received_transactions WHERE received_ts < :before ORDER BY received_ts LIMIT :limit)`,
});

/**
 * The steps that remember what a transaction was answered with, and forget old ones.
 *
 * @param answer JSON
 * @param now milliseconds since the Unix epoch
 */
export function storeAnswer(origin: string, txnId: string, answer: string, now: number): WriteStep[] {
  return [
    step(insertAnswer, { origin, txnId, answer, now }),
    step(deleteOlderAnswers, { origin, kept: ANSWERS_PER_ORIGIN_MAX }),
    step(deleteOldAnswers, { before: now - ANSWER_KEPT_MS, limit: FORGOTTEN_AT_ONCE }),
  ];
}

export const insertWaiting = defineQuery<WaitingEvent & Record<string, string | number>>({
  name: 'federation-receiver.insert-waiting',
  sql: `
    INSERT OR IGNORE INTO waiting_events (event_id, room_id, origin, pdu, received_ts)
    VALUES (:eventId, :roomId, :origin, :pdu, :receivedTs)`,
});

export const deleteWaiting = defineQuery<{ readonly eventIds: string }>({
  name: 'federation-receiver.delete-waiting',
  sql: 'DELETE FROM waiting_events WHERE event_id IN (SELECT value FROM json_each(:eventIds))',
});

/** The steps that keep events until their place is known, and let go of others. */
export function storeWaiting(events: readonly WaitingEvent[], letGo: readonly string[]): WriteStep[] {
  return [
    ...(letGo.length > 0 ? [step(deleteWaiting, { eventIds: JSON.stringify(letGo) })] : []),
    ...events.map((event) => step(insertWaiting, { ...event })),
  ];
}
