import { countNotifyingEvents } from '../../db/rooms/sync-reader.ts';
import { unreadCountsCache, unreadKey } from './caches/unread-counts.ts';
import type { SyncContext } from './sync-context.ts';

/** Events that are looked at for one count: a room that was not read for longer shows what the newest of them give. */
export const UNREAD_LOOK_AT_MAX = 1_000;

/**
 * How many events of a room the user has not read: messages and encrypted events of others after the user's receipt (after the join,
 * when there is no receipt), as the default push rules notify of them: no notices, no edits, nothing redacted.
 * Rules that the user changed, mentions and threads do not count differently, so highlights are always 0.
 * Client-Server API v1.19, "Receiving notifications", "Unread notification counts".
 *
 * @param joinedAt position of the user's member event on the events stream
 * @returns the text of `unread_notifications`
 */
export async function readUnreadText(
  context: SyncContext,
  roomId: string,
  joinedAt: number,
): Promise<string> {
  const { services, caller, range } = context;
  const { userId } = caller;
  const unread = await services.cached.get(unreadCountsCache, unreadKey(roomId, userId));
  const to = range.to('events');
  const from = unread.countedTo ?? unread.readUpTo ?? joinedAt;
  if (to > from) {
    const before = unread.countedTo;
    const params = { roomId, userId, from, to, limit: UNREAD_LOOK_AT_MAX };
    const more = await countNotifyingEvents(services.db, params);
    // Another sync of the user may have counted meanwhile: then its count stands.
    if (unread.countedTo === before) {
      unread.countedTo = to;
      unread.count += more;
    }
  }
  return `{"notification_count":${unread.count},"highlight_count":0}`;
}
