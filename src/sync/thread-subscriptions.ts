import type { SubscriptionChange } from '../../db/thread-subscriptions/reader.ts';
import type { JsonObject } from '../kit/json.ts';

type ByThread = Record<string, Record<string, JsonObject>>;

function addTo(rooms: ByThread, roomId: string, rootId: string, item: JsonObject): void {
  (rooms[roomId] ??= {})[rootId] = item;
}

/**
 * Changes of a user's subscriptions as clients get them, by room and thread; a part without any is absent. Where a client has two for one thread
 * the one with the higher `bump_stamp` is the newer. MSC4308.
 */
export function subscriptionsByRoom(changes: readonly SubscriptionChange[]): {
  readonly subscribed?: Readonly<Record<string, Readonly<Record<string, JsonObject>>>>;
  readonly unsubscribed?: Readonly<Record<string, Readonly<Record<string, JsonObject>>>>;
} {
  const subscribed: ByThread = {};
  const unsubscribed: ByThread = {};
  for (const { roomId, rootId, isSubscribed, isAutomatic, position } of changes) {
    if (isSubscribed === 1)
      addTo(subscribed, roomId, rootId, { automatic: isAutomatic === 1, bump_stamp: position });
    else addTo(unsubscribed, roomId, rootId, { bump_stamp: position });
  }
  return {
    ...(Object.keys(subscribed).length > 0 && { subscribed }),
    ...(Object.keys(unsubscribed).length > 0 && { unsubscribed }),
  };
}
