import { readThreadSubscribers, subscribersOfThread } from '../../../db/thread-subscriptions/reader.ts';
import { defineCache } from '../../streams/cache.ts';

/** Subscriptions kept in memory over all threads. */
const THREAD_SUBSCRIBERS_MAX = 200_000;

const SEPARATOR = ' ';

/** The key of a thread. */
export function threadKey(roomId: string, rootId: string): string {
  return `${roomId}${SEPARATOR}${rootId}`;
}

/** The users of this server who have subscribed to a thread, by room and root: asked for only by events of threads. MSC4306. */
export const threadSubscribersCache = defineCache<string, ReadonlySet<string>>({
  name: 'thread-subscribers',
  sizeMax: THREAD_SUBSCRIBERS_MAX,
  size: (subscribers) => 1 + subscribers.size,
  async load(db, key) {
    const end = key.indexOf(SEPARATOR);
    return new Set(await readThreadSubscribers(db, key.slice(0, end), key.slice(end + SEPARATOR.length)));
  },
  reads: [subscribersOfThread],
  dependsOn: {
    'thread-subscription': (fact) => [threadKey(fact.roomId, fact.rootId)],
  },
});
