import { defineQuery } from '../kit/query.ts';
import { latestRowsReader, type StreamRange } from '../kit/stream-rows.ts';

/** A row of the thread-subscriptions stream. */
export type ThreadSubscriptionsRow = {
  readonly userId: string;
  readonly roomId: string;
  readonly rootId: string;
};

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<
  StreamRange,
  ThreadSubscriptionsRow & { readonly position: number }
>({
  name: 'thread-subscriptions.read-stream-rows',
  sql: `
    SELECT stream_id AS position, user_id AS userId, room_id AS roomId, root_id AS rootId
      FROM thread_subscriptions
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** A page of the thread-subscriptions stream. */
export const readThreadSubscriptionRows = latestRowsReader(readStreamRows);
