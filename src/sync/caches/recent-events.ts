import type { MemberChange, PositionedStateChange, TimelineEntry } from '../../../db/rooms/sync-reader.ts';
import { defineCache } from '../../streams/cache.ts';

/** The newest that happened in a room: the same for everyone in it. */
export interface RecentEvents {
  /** Whatever happened after this position of the events stream is in it. */
  readonly after: number;
  /** Newest first. */
  readonly entries: readonly TimelineEntry[];
  /** Ascending. */
  readonly stateChanges: readonly PositionedStateChange[];
  /** Ascending. */
  readonly memberChanges: readonly MemberChange[];
  /** Up to where events were deleted; null where none were. */
  readonly purgedUpTo: number | null;
}

/** What is remembered of a room. */
export interface RecentOfRoom {
  /** Where the room changed last when it was read; null before the first time. */
  upTo: number | null;
  /** Under way or read; null before the first time. */
  read: Promise<RecentEvents> | null;
}

const RECENT_ROOMS_MAX = 2_000;

/** What happened last in rooms, by room id: read once for all who are woken by it. What is stored of a position never changes but by these facts. */
export const recentEventsCache = defineCache<string, RecentOfRoom>({
  name: 'recent-events',
  sizeMax: RECENT_ROOMS_MAX,
  load: () => Promise.resolve({ upTo: null, read: null }),
  reads: [],
  dependsOn: {
    event: (fact) => [fact.roomId],
    'room-changed': (fact) => [fact.roomId],
  },
});
