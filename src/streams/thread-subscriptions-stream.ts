import {
  readThreadSubscriptionRows,
  type ThreadSubscriptionsRow,
} from '../../db/thread-subscriptions/stream-reader.ts';
import { defineDurableStream } from './stream.ts';

/** Changes of subscriptions to threads; owned by `thread-subscriptions`. */
export const threadSubscriptionsStream = defineDurableStream<'thread-subscriptions', ThreadSubscriptionsRow>({
  name: 'thread-subscriptions',
  letter: 'h',
  owner: 'thread-subscriptions',
  tables: [{ table: 'thread_subscriptions', column: 'stream_id' }],
  read: readThreadSubscriptionRows,
  wakes: (row) => [`user:${row.userId}`],
  invalidates: ({ userId, roomId, rootId }) => [{ fact: 'thread-subscription', userId, roomId, rootId }],
});
