import { MAIN_THREAD } from '../matrix/push/thread.ts';
import type { UnreadThread } from './caches/unread-counts.ts';
import { countUnread, type UnreadQuestion } from './push/count-unread.ts';
import { readRecentEntries } from './recent-events.ts';
import type { SyncContext } from './sync-context.ts';

/** The counts of a room as texts. */
export interface UnreadTexts {
  readonly room: string;
  /** By thread; null when the client does not want to know threads apart. */
  readonly threads: string | null;
}

function textOf({ count, highlights }: UnreadThread): string {
  return `{"notification_count":${count},"highlight_count":${highlights}}`;
}

function sumOf(counts: readonly UnreadThread[]): UnreadThread {
  return {
    count: counts.reduce((sum, { count }) => sum + count, 0),
    highlights: counts.reduce((sum, { highlights }) => sum + highlights, 0),
  };
}

/**
 * What the user has not read in a room, as of the answer's position. A client that knows threads gets them apart and those that are read are
 * absent; for others they are all one.
 * Client-Server API v1.19, "Syncing", `unread_notifications` and `unread_thread_notifications`.
 *
 * @param joinedAt when the user joined, on the events stream
 */
export async function readUnreadTexts(
  context: SyncContext,
  roomId: string,
  joinedAt: number,
): Promise<UnreadTexts> {
  const { services, caller, filter, range } = context;
  const question: UnreadQuestion = {
    roomId,
    userId: caller.userId,
    joinedAt,
    to: range.to('events'),
    readEntries: (...within) => readRecentEntries(services, ...within),
  };
  const unread = await countUnread(services, question);
  if (!filter.room.timeline.unreadThreadNotifications)
    return { room: textOf(sumOf([...unread.values()])), threads: null };
  const threads = [...unread]
    .filter(([threadId]) => threadId !== MAIN_THREAD)
    .map(([threadId, count]) => `${JSON.stringify(threadId)}:${textOf(count)}`);
  const room = textOf(unread.get(MAIN_THREAD) ?? sumOf([]));
  return { room, threads: threads.length === 0 ? null : `{${threads.join(',')}}` };
}
