import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** One event that some users are notified of in the same way. */
export interface NotificationWrite {
  /** Of the event, on the events stream. */
  readonly place: number;
  readonly roomNid: number;
  /** The root of its thread, or `main`. */
  readonly threadId: string;
  readonly isHighlight: boolean;
  /** JSON; null for `["notify"]`. */
  readonly actions: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly ts: number;
  readonly userNids: readonly number[];
}

/** The newest event of a local user in a thread. */
export interface OwnEvent {
  readonly userId: string;
  readonly roomNid: number;
  readonly threadId: string;
  readonly place: number;
}

export const insertNotifications = defineQuery<
  Omit<NotificationWrite, 'userNids' | 'isHighlight'> & {
    readonly isHighlight: number;
    readonly userNids: string;
  }
>({
  name: 'push.insert-notifications',
  sql: `
    INSERT OR IGNORE INTO notifications (user_nid, place, room_nid, thread_id, is_highlight, actions, ts)
    SELECT value, :place, :roomNid, :threadId, :isHighlight, :actions, :ts FROM json_each(:userNids) users`,
  scans: ['users'],
});

export const upsertOwnEvent = defineQuery<{
  readonly userId: string;
  readonly roomNid: number;
  readonly threadId: string;
  readonly place: number;
}>({
  name: 'push.upsert-own-event',
  sql: `
    INSERT INTO own_events (room_nid, user_nid, thread_id, place)
    SELECT :roomNid, user_nid, :threadId, :place FROM user_ids WHERE user_id = :userId
    ON CONFLICT (room_nid, user_nid, thread_id) DO UPDATE SET place = max(place, excluded.place)`,
});

/** Moves the progress on from where the writer believes it to be. */
export const moveProgress = defineQuery<{ readonly from: number; readonly to: number }>({
  name: 'push.move-progress',
  sql: 'UPDATE push_progress SET place = :to WHERE only_row = 1 AND place = :from',
});

export const insertProgress = defineQuery<{ readonly place: number }>({
  name: 'push.insert-progress',
  sql: 'INSERT OR IGNORE INTO push_progress (only_row, place) VALUES (1, :place)',
});

export const upsertChange = defineQuery<{ readonly userId: string; readonly position: number }>({
  name: 'push.upsert-change',
  sql: `
    INSERT INTO push_changes (user_id, stream_id) VALUES (:userId, :position)
    ON CONFLICT (user_id) DO UPDATE SET stream_id = excluded.stream_id`,
});

export const deleteOldNotifications = defineQuery<{
  readonly userNid: number;
  readonly beforeTs: number;
  readonly limit: number;
}>({
  name: 'push.delete-old-notifications',
  sql: `
    DELETE FROM notifications
     WHERE user_nid = :userNid AND ts < :beforeTs AND place IN (
       SELECT place FROM notifications WHERE user_nid = :userNid ORDER BY place LIMIT :limit)`,
});

export const deleteSurplusNotifications = defineQuery<{
  readonly userNid: number;
  readonly keep: number;
  readonly limit: number;
}>({
  name: 'push.delete-surplus-notifications',
  sql: `
    DELETE FROM notifications
     WHERE user_nid = :userNid AND place IN (
       SELECT place FROM notifications WHERE user_nid = :userNid ORDER BY place DESC LIMIT :limit OFFSET :keep)`,
});

/** What a row takes, its index entry included, about. */
const NOTIFICATION_BYTES = 60;

export const deleteNotificationsOfRoom = defineQuery<
  { readonly roomNid: number; readonly limit: number },
  { readonly freedBytes: number }
>({
  name: 'push.delete-notifications-of-room',
  sql: `
    DELETE FROM notifications
     WHERE (user_nid, place) IN (
       SELECT user_nid, place FROM notifications INDEXED BY notifications_by_room WHERE room_nid = :roomNid LIMIT :limit)
    RETURNING ${NOTIFICATION_BYTES} + 2 * octet_length(thread_id) + octet_length(coalesce(actions, '')) AS freedBytes`,
});

export const deleteOwnEventsOfRoom = defineQuery<{ readonly roomNid: number; readonly limit: number }>({
  name: 'push.delete-own-events-of-room',
  sql: `
    DELETE FROM own_events
     WHERE room_nid = :roomNid AND (user_nid, thread_id) IN (
       SELECT user_nid, thread_id FROM own_events WHERE room_nid = :roomNid LIMIT :limit)`,
});

/** The steps that store what was found out about events, with where that ends, all at the first position of their write set. */
export function storeEvaluation(evaluation: {
  readonly from: number;
  readonly to: number;
  readonly notifications: readonly NotificationWrite[];
  readonly ownEvents: readonly OwnEvent[];
  /** Those whose pushers have something to look at. */
  readonly userIds: readonly string[];
}): WriteStep[] {
  const { from, to } = evaluation;
  return [
    step(moveProgress, { from, to }, { expectChanges: 1, refusal: 'another-has-evaluated' }),
    ...evaluation.notifications.map(({ userNids, isHighlight, ...event }) =>
      step(insertNotifications, {
        ...event,
        isHighlight: isHighlight ? 1 : 0,
        userNids: JSON.stringify(userNids),
      }),
    ),
    ...evaluation.ownEvents.map((own) => step(upsertOwnEvent, { ...own })),
    ...evaluation.userIds.map((userId) => step(upsertChange, { userId }, { positionOffset: 0 })),
  ];
}

/** The step that makes the progress begin at a place of the events stream, unless it has begun. */
export function beginProgress(place: number): WriteStep[] {
  return [step(insertProgress, { place })];
}

/** The steps that let go of a user's notifications that are too old or too many: at most `limit` of each. */
export function pruneNotifications(prune: {
  readonly userNid: number;
  readonly beforeTs: number;
  readonly keep: number;
  readonly limit: number;
}): WriteStep[] {
  const { userNid, beforeTs, keep, limit } = prune;
  return [
    step(deleteOldNotifications, { userNid, beforeTs, limit }),
    step(deleteSurplusNotifications, { userNid, keep, limit }),
  ];
}

/** The steps that delete at most `limit` notifications of a room, of the first; one row for each of them. */
export function forgetRoom(roomNid: number, limit: number): WriteStep[] {
  return [
    step(deleteNotificationsOfRoom, { roomNid, limit }, { returns: true }),
    step(deleteOwnEventsOfRoom, { roomNid, limit }),
  ];
}
