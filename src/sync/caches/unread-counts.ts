import { defineCache } from '../../streams/cache.ts';

/** Notifications of one thread that are not read. */
export interface UnreadThread {
  readonly count: number;
  readonly highlights: number;
}

/** A running count for one user in one room, of what is stored: it only remembers what was counted already. */
export interface UnreadCount {
  /** Events up to here are counted; null before the first count. Moves on with the evaluation of push rules. */
  countedTo: number | null;
  /** By thread; threads without any are absent. */
  threads: ReadonlyMap<string, UnreadThread>;
  /** What {@link redactionsCache} held when the count began: another one makes it void. */
  redactions: object | null;
}

const UNREAD_COUNTS_MAX = 50_000;

/** The key of a user's count in a room. */
export function unreadKey(roomId: string, userId: string): string {
  return `${roomId} ${userId}`;
}

/** Running counts of unread notifications: a receipt drops the count, events only add to it. */
export const unreadCountsCache = defineCache<string, UnreadCount>({
  name: 'unread-counts',
  sizeMax: UNREAD_COUNTS_MAX,
  size: ({ threads }) => 1 + threads.size,
  load: () => Promise.resolve({ countedTo: null, threads: new Map(), redactions: null }),
  reads: [],
  dependsOn: {
    receipt: (fact) => [unreadKey(fact.roomId, fact.userId)],
    membership: (fact) => [unreadKey(fact.roomId, fact.userId)],
    'room-changed': (fact) => fact.members.map((userId) => unreadKey(fact.roomId, userId)),
  },
});

const ROOMS_WITH_REDACTIONS_MAX = 50_000;

/**
 * For each room an object that is another one after each redaction of an event there, for what depends on all of a room's events and is
 * kept under other keys.
 */
export const redactionsCache = defineCache<string, object>({
  name: 'redactions',
  sizeMax: ROOMS_WITH_REDACTIONS_MAX,
  load: () => Promise.resolve({}),
  reads: [],
  dependsOn: {
    event: (fact) => [fact.roomId],
  },
});
