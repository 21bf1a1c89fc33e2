import { findReadPositionQuery } from '../../../db/rooms/sync-reader.ts';
import { defineCache } from '../../streams/cache.ts';

/** A running count for one user in one room. */
export interface UnreadCount {
  /** Where the user's receipts stand in the timeline; null without any. */
  readonly readUpTo: number | null;
  /** Events up to here are counted; null before the first count. Moves on with the timeline. */
  countedTo: number | null;
  count: number;
}

const UNREAD_COUNTS_MAX = 50_000;

/** The key of a user's count in a room. */
export function unreadKey(roomId: string, userId: string): string {
  return `${roomId} ${userId}`;
}

/** Running counts of unread events: a receipt drops the count, events only add to it. */
export const unreadCountsCache = defineCache<string, UnreadCount>({
  name: 'unread-counts',
  sizeMax: UNREAD_COUNTS_MAX,
  async load(db, key) {
    const [roomId = '', userId = ''] = key.split(' ');
    const read = await db.find(findReadPositionQuery, { roomId, userId });
    return { readUpTo: read?.position ?? null, countedTo: null, count: 0 };
  },
  reads: [findReadPositionQuery],
  dependsOn: {
    receipt: (fact) => [unreadKey(fact.roomId, fact.userId)],
    membership: (fact) => [unreadKey(fact.roomId, fact.userId)],
    'room-changed': (fact) => fact.members.map((userId) => unreadKey(fact.roomId, userId)),
  },
});
