import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** Names a thread for one user. */
export type ThreadOfUser = {
  readonly userId: string;
  readonly roomId: string;
  readonly rootId: string;
};

/** How a user stands to a thread to which the user has subscribed, or had. */
export interface ThreadSubscription {
  readonly isSubscribed: boolean;
  readonly isAutomatic: boolean;
  /** When the user unsubscribed last, on the events stream; null: never. */
  readonly unsubscribedAt: number | null;
  /** Its last change, on the thread-subscriptions stream. */
  readonly position: number;
}

/** A change of a subscription, as clients page through them. */
export interface SubscriptionChange {
  readonly roomId: string;
  readonly rootId: string;
  readonly isSubscribed: number;
  readonly isAutomatic: number;
  readonly position: number;
}

export const oneSubscription = defineQuery<
  ThreadOfUser,
  Omit<ThreadSubscription, 'isSubscribed' | 'isAutomatic'> & {
    readonly isSubscribed: number;
    readonly isAutomatic: number;
  }
>({
  name: 'thread-subscriptions.find-one',
  sql: `
    SELECT is_subscribed AS isSubscribed, is_automatic AS isAutomatic, unsubscribed_at AS unsubscribedAt,
           stream_id AS position
      FROM thread_subscriptions
     WHERE user_id = :userId AND room_id = :roomId AND root_id = :rootId`,
});

/** How a user stands to a thread; undefined when the user never subscribed to it. */
export async function findThreadSubscription(
  db: ReadDb,
  thread: ThreadOfUser,
): Promise<ThreadSubscription | undefined> {
  const { userId, roomId, rootId } = thread;
  const row = await db.find(oneSubscription, { userId, roomId, rootId });
  if (row === undefined) return undefined;
  return { ...row, isSubscribed: row.isSubscribed === 1, isAutomatic: row.isAutomatic === 1 };
}

export const changesOfUser = defineQuery<
  { readonly userId: string; readonly after: number; readonly upTo: number; readonly limit: number },
  SubscriptionChange
>({
  name: 'thread-subscriptions.read-changes',
  sql: `
    SELECT room_id AS roomId, root_id AS rootId, is_subscribed AS isSubscribed, is_automatic AS isAutomatic,
           stream_id AS position
      FROM thread_subscriptions
     WHERE user_id = :userId AND stream_id > :after AND stream_id <= :upTo
     ORDER BY stream_id DESC LIMIT :limit`,
});

/** A user's newest changes with `after < position <= upTo`, newest first: of each thread the last one. */
export function readSubscriptionChanges(
  db: ReadDb,
  range: {
    readonly userId: string;
    readonly after: number;
    readonly upTo: number;
    readonly limit: number;
  },
): Promise<SubscriptionChange[]> {
  return db.all(changesOfUser, range);
}

export const subscribersOfThread = defineQuery<
  { readonly roomId: string; readonly rootId: string },
  { readonly userId: string }
>({
  name: 'thread-subscriptions.read-subscribers',
  sql: `
    SELECT user_id AS userId FROM thread_subscriptions
     WHERE room_id = :roomId AND root_id = :rootId AND is_subscribed = 1`,
});

/** The users of this server who have subscribed to a thread. */
export async function readThreadSubscribers(db: ReadDb, roomId: string, rootId: string): Promise<string[]> {
  const rows = await db.all(subscribersOfThread, { roomId, rootId });
  return rows.map(({ userId }) => userId);
}

export const subscriberSince = defineQuery<{ readonly userId: string }, { readonly since: number }>({
  name: 'thread-subscriptions.find-subscriber',
  sql: 'SELECT since FROM thread_subscribers WHERE user_id = :userId',
});

/** When a user subscribed to a thread for the first time, on the thread-subscriptions stream; 0: never. */
export async function findSubscriberSince(db: ReadDb, userId: string): Promise<number> {
  return (await db.find(subscriberSince, { userId }))?.since ?? 0;
}
