import { readRoomsWithNotifications } from '../../../db/push/count-reader.ts';
import { countUnread } from './count-unread.ts';
import type { PushServices } from './event-facts.ts';

/**
 * How many notifications a user has not read, over all rooms that the user is in.
 * Push Gateway API v1.19, `counts.unread`.
 *
 * @param to events up to here count, on the events stream
 */
export async function countBadge(services: PushServices, userId: string, to: number): Promise<number> {
  let sum = 0;
  for (const { roomId, since } of await readRoomsWithNotifications(services.db, userId)) {
    const threads = await countUnread(services, { roomId, userId, joinedAt: since, to });
    for (const { count } of threads.values()) sum += count;
  }
  return sum;
}
