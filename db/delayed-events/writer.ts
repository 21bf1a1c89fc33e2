import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import { type DelayedReason, type DelayedTransaction, SENT_TRANSACTION } from './reader.ts';

/** The refusal of the guards below: it is not scheduled any more, or it was sent already and only the note of that is missing. */
export type DelayedGuard = 'not-scheduled';

const NOT_SCHEDULED = { expectChanges: 1, refusal: 'not-scheduled' satisfies DelayedGuard } as const;

/** An event to be sent later. */
export type NewDelayedEvent = {
  readonly delayId: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly roomId: string;
  readonly type: string;
  readonly stateKey: string | null;
  /** JSON text. */
  readonly content: string;
  readonly stickyMs: number | null;
  readonly delayMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly sinceTs: number;
};

export const insertDelayedEvent = defineQuery<
  NewDelayedEvent & { readonly path: string | null; readonly txnId: string | null }
>({
  name: 'delayed-events.insert-event',
  sql: `
    INSERT INTO delayed_events
           (delay_id, user_id, device_id, txn_path, txn_id, room_id, type, state_key, content, sticky_ms, delay_ms,
            since_ts, due_ts, events_position)
    VALUES (:delayId, :userId, :deviceId, :path, :txnId, :roomId, :type, :stateKey, :content, :stickyMs, :delayMs,
            :sinceTs, :sinceTs + :delayMs,
            (SELECT coalesce(max(position), 0) FROM stream_positions WHERE stream = 'events' AND direction = 'forward'))`,
});

/** The steps that schedule an event. No guard: whoever schedules has looked for the transaction, in that user's turn. */
export function scheduleEvent(
  event: NewDelayedEvent,
  transaction: Pick<DelayedTransaction, 'path' | 'txnId'> | null,
): WriteStep[] {
  return [step(insertDelayedEvent, { ...event, ...(transaction ?? { path: null, txnId: null }) })];
}

type One = { readonly delayId: string };

/** Rows that are scheduled and whose event is not in its room. */
const UNSENT = `d.due_ts IS NOT NULL AND NOT EXISTS (${SENT_TRANSACTION})`;

export const restartDelay = defineQuery<One & { readonly now: number }>({
  name: 'delayed-events.restart',
  sql: `
    UPDATE delayed_events AS d SET since_ts = :now, due_ts = :now + d.delay_ms
     WHERE d.delay_id = :delayId AND ${UNSENT}`,
});

/** The step that lets the delay begin again. Guard: `not-scheduled`. */
export function restartEvent(delayId: string, now: number): WriteStep[] {
  return [step(restartDelay, { delayId, now }, NOT_SCHEDULED)];
}

export const cancelDelay = defineQuery<One & { readonly now: number }>({
  name: 'delayed-events.cancel',
  sql: `
    UPDATE delayed_events AS d SET due_ts = NULL, finalised_ts = :now, outcome = 'cancelled', reason = 'action'
     WHERE d.delay_id = :delayId AND ${UNSENT}`,
});

export const noteSent = defineQuery<
  One & { readonly now: number; readonly reason: string; readonly eventId: string }
>({
  name: 'delayed-events.note-sent',
  sql: `
    UPDATE delayed_events
       SET due_ts = NULL, finalised_ts = :now, outcome = 'sent', reason = :reason, event_id = :eventId
     WHERE delay_id = :delayId AND due_ts IS NOT NULL`,
});

export const noteFailed = defineQuery<One & { readonly now: number; readonly error: string }>({
  name: 'delayed-events.note-failed',
  sql: `
    UPDATE delayed_events
       SET due_ts = NULL, finalised_ts = :now, outcome = 'failed', reason = 'delay', error = :error
     WHERE delay_id = :delayId AND due_ts IS NOT NULL`,
});

/** Finalised events of one user that are kept: the newest. */
export const FINALISED_PER_USER_MAX = 200;

export const trimFinalised = defineQuery<One & { readonly keep: number }>({
  name: 'delayed-events.trim-finalised',
  sql: `
    DELETE FROM delayed_events
     WHERE delay_nid IN (
       SELECT delay_nid FROM delayed_events
        WHERE user_id = (SELECT user_id FROM delayed_events WHERE delay_id = :delayId) AND finalised_ts IS NOT NULL
        ORDER BY finalised_ts DESC, delay_nid DESC LIMIT -1 OFFSET :keep)`,
});

const trim = (delayId: string): WriteStep => step(trimFinalised, { delayId, keep: FINALISED_PER_USER_MAX });

/** The steps that finalise an event which is never sent. Guard: `not-scheduled`. */
export function cancelEvent(delayId: string, now: number): WriteStep[] {
  return [step(cancelDelay, { delayId, now }, NOT_SCHEDULED), trim(delayId)];
}

/** The steps that finalise an event which is in its room. No guard: one that is gone meanwhile, with its room or its user, stays gone. */
export function finaliseSent(
  delayId: string,
  now: number,
  sent: { readonly reason: DelayedReason; readonly eventId: string },
): WriteStep[] {
  return [step(noteSent, { delayId, now, ...sent }), trim(delayId)];
}

/**
 * The steps that finalise an event which was refused when its time had come. No guard, as {@link finaliseSent}.
 *
 * @param error the body of the refusal, JSON text
 */
export function finaliseFailed(delayId: string, now: number, error: string): WriteStep[] {
  return [step(noteFailed, { delayId, now, error }), trim(delayId)];
}

export const deleteOldFinalised = defineQuery<
  { readonly before: number; readonly limit: number },
  { readonly delayNid: number }
>({
  name: 'delayed-events.delete-old-finalised',
  sql: `
    DELETE FROM delayed_events
     WHERE delay_nid IN (
       SELECT delay_nid FROM delayed_events WHERE finalised_ts < :before ORDER BY finalised_ts LIMIT :limit)
    RETURNING delay_nid AS delayNid`,
});

/**
 * The step that forgets what was finalised long ago. Its rows are those it has deleted.
 *
 * @param before milliseconds since the Unix epoch
 */
export function pruneFinalised(before: number, limit: number): WriteStep[] {
  return [step(deleteOldFinalised, { before, limit }, { returns: true })];
}

type Freed = { readonly freedBytes: number };

const FREED = 'octet_length(content) + octet_length(room_id) + 200 AS freedBytes';

export const deleteOfRoom = defineQuery<{ readonly roomId: string; readonly limit: number }, Freed>({
  name: 'delayed-events.delete-of-room',
  sql: `
    DELETE FROM delayed_events
     WHERE delay_nid IN (SELECT delay_nid FROM delayed_events WHERE room_id = :roomId LIMIT :limit)
    RETURNING ${FREED}`,
});

/** The step that deletes some of what is for a room. Its rows are those it has deleted. */
export function forgetRoom(roomId: string, limit: number): WriteStep[] {
  return [step(deleteOfRoom, { roomId, limit }, { returns: true })];
}

export const deleteOfUser = defineQuery<{ readonly userId: string; readonly limit: number }, Freed>({
  name: 'delayed-events.delete-of-user',
  sql: `
    DELETE FROM delayed_events
     WHERE delay_nid IN (SELECT delay_nid FROM delayed_events WHERE user_id = :userId LIMIT :limit)
    RETURNING ${FREED}`,
});

/** The step that deletes some of what is a user's. Its rows are those it has deleted. */
export function forgetUser(userId: string, limit: number): WriteStep[] {
  return [step(deleteOfUser, { userId, limit }, { returns: true })];
}
