import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import type { ThreadOfUser } from './reader.ts';

/** Threads that one user may have subscribed to, or have been subscribed to. */
export const THREADS_PER_USER_MAX = 10_000;

/** Why a subscription is not stored: the user has {@link THREADS_PER_USER_MAX} others. */
export const TOO_MANY_THREADS = 'too-many-threads';

/** Stores how a user stands to a thread, unless that would be one too many. */
export const upsertSubscription = defineQuery<
  ThreadOfUser & { readonly isAutomatic: number; readonly most: number; readonly position: number }
>({
  name: 'thread-subscriptions.upsert',
  sql: `
    INSERT INTO thread_subscriptions (user_id, room_id, root_id, is_subscribed, is_automatic, unsubscribed_at, stream_id)
    SELECT :userId, :roomId, :rootId, 1, :isAutomatic, NULL, :position
     WHERE (SELECT count(*) FROM thread_subscriptions
             WHERE user_id = :userId AND NOT (room_id = :roomId AND root_id = :rootId)) < :most
    ON CONFLICT (user_id, room_id, root_id)
    DO UPDATE SET is_subscribed = 1, is_automatic = excluded.is_automatic, stream_id = excluded.stream_id`,
});

export const endSubscription = defineQuery<
  ThreadOfUser & { readonly place: number; readonly position: number }
>({
  name: 'thread-subscriptions.end',
  sql: `
    UPDATE thread_subscriptions SET is_subscribed = 0, unsubscribed_at = :place, stream_id = :position
     WHERE user_id = :userId AND room_id = :roomId AND root_id = :rootId`,
});

/** Notes that a user has begun to subscribe to threads. */
export const insertSubscriber = defineQuery<{ readonly userId: string; readonly position: number }>({
  name: 'thread-subscriptions.insert-subscriber',
  sql: 'INSERT OR IGNORE INTO thread_subscribers (user_id, since) VALUES (:userId, :position)',
});

/** The steps that subscribe a user to a thread; refused as {@link TOO_MANY_THREADS}. */
export function storeSubscription(
  { userId, roomId, rootId }: ThreadOfUser,
  isAutomatic: boolean,
): WriteStep[] {
  const row = { userId, roomId, rootId, isAutomatic: isAutomatic ? 1 : 0, most: THREADS_PER_USER_MAX };
  return [
    step(upsertSubscription, row, { positionOffset: 0, expectChanges: 1, refusal: TOO_MANY_THREADS }),
    step(insertSubscriber, { userId }, { positionOffset: 0 }),
  ];
}

/** The step that ends a subscription; events up to `place` of the events stream do not bring it back. */
export function storeUnsubscription({ userId, roomId, rootId }: ThreadOfUser, place: number): WriteStep[] {
  return [step(endSubscription, { userId, roomId, rootId, place }, { positionOffset: 0 })];
}

/** What a subscription takes beside its texts, its index entries included, about. */
const SUBSCRIPTION_BYTES = 80;

/** What is told of a deleted subscription. */
const DELETED = `
    RETURNING user_id AS userId, room_id AS roomId, root_id AS rootId,
              4 * octet_length(user_id) + 3 * octet_length(room_id || root_id) + ${SUBSCRIPTION_BYTES} AS freedBytes`;

export const deleteSubscriptionsOfRoom = defineQuery<{ readonly roomId: string; readonly limit: number }>({
  name: 'thread-subscriptions.delete-of-room',
  sql: `
    DELETE FROM thread_subscriptions
     WHERE (user_id, room_id, root_id) IN (
       SELECT user_id, room_id, root_id FROM thread_subscriptions INDEXED BY thread_subscriptions_by_thread
        WHERE room_id = :roomId LIMIT :limit)${DELETED}`,
});

/** The step that deletes at most `limit` subscriptions of a room; one row for each of them. */
export function forgetRoom(roomId: string, limit: number): WriteStep[] {
  return [step(deleteSubscriptionsOfRoom, { roomId, limit }, { returns: true })];
}

export const deleteSubscriptionsOfUser = defineQuery<{ readonly userId: string; readonly limit: number }>({
  name: 'thread-subscriptions.delete-of-user',
  sql: `
    DELETE FROM thread_subscriptions
     WHERE (user_id, room_id, root_id) IN (
       SELECT user_id, room_id, root_id FROM thread_subscriptions WHERE user_id = :userId LIMIT :limit)${DELETED}`,
});

export const deleteSubscriber = defineQuery<{ readonly userId: string }>({
  name: 'thread-subscriptions.delete-subscriber',
  sql: 'DELETE FROM thread_subscribers WHERE user_id = :userId',
});

/** The steps that delete at most `limit` subscriptions of a user, one row for each of them, and that there were any. */
export function forgetUser(userId: string, limit: number): WriteStep[] {
  return [
    step(deleteSubscriptionsOfUser, { userId, limit }, { returns: true }),
    step(deleteSubscriber, { userId }),
  ];
}

export const deleteSubscriptionsOfUserInRoom = defineQuery<{
  readonly userId: string;
  readonly roomId: string;
  readonly limit: number;
}>({
  name: 'thread-subscriptions.delete-of-user-in-room',
  sql: `
    DELETE FROM thread_subscriptions
     WHERE (user_id, room_id, root_id) IN (
       SELECT user_id, room_id, root_id FROM thread_subscriptions
        WHERE user_id = :userId AND room_id = :roomId LIMIT :limit)${DELETED}`,
});

/** The step that deletes at most `limit` subscriptions of one user in one room; one row for each of them. */
export function forgetUserInRoom(userId: string, roomId: string, limit: number): WriteStep[] {
  return [step(deleteSubscriptionsOfUserInRoom, { userId, roomId, limit }, { returns: true })];
}
