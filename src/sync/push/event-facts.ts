import type { ReadDb } from '../../../db/kit/read-db.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findReplacedEvent } from '../../../db/rooms/replaced-event-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import { isJsonObject, type JsonObject } from '../../kit/json.ts';
import type { EventFacts, PushUser } from '../../matrix/push/condition.ts';
import type { Caches } from '../../streams/cache.ts';
import { roomSummaryCache } from '../caches/room-summary.ts';
import { MAIN_THREAD } from '../../matrix/push/thread.ts';
import { threadKey, threadSubscribersCache } from '../caches/thread-subscribers.ts';
import type { PushProfile } from './push-profile.ts';
import { roomLevelsCache } from './push-room.ts';

/** What evaluating events needs. */
export interface PushServices {
  readonly db: ReadDb;
  readonly cached: Caches;
}

/** The only type of state whose rules ask what it has replaced. MSC3914. */
const GROUP_CALL = 'org.matrix.msc3401.call';

async function findReplacedContent(db: ReadDb, event: JsonObject): Promise<JsonObject | null> {
  const { type, event_id: eventId } = event;
  if (type !== GROUP_CALL || typeof eventId !== 'string') return null;
  const stored = await findEvent(db, eventId);
  const replacedId = stored === undefined ? undefined : await findReplacedEvent(db, stored);
  const replaced = replacedId === undefined ? undefined : await findEvent(db, replacedId);
  if (replaced === undefined) return null;
  const { content } = JSON.parse(replaced.pdu) as { readonly content?: unknown };
  return isJsonObject(content) ? content : null;
}

/**
 * What an event is looked at with, as its room is now.
 *
 * @param event as clients get it, with `room_id`
 * @param threadId the root of its thread, or `main`
 */
export async function readEventFacts(
  { cached, db }: PushServices,
  roomId: string,
  event: JsonObject,
  threadId: string,
): Promise<EventFacts> {
  const { joined } = await cached.get(roomSummaryCache, roomId);
  const levels = await cached.get(roomLevelsCache, roomId);
  const threadSubscribers =
    threadId === MAIN_THREAD ? null : await cached.get(threadSubscribersCache, threadKey(roomId, threadId));
  const { sender } = event;
  const senderLevel = typeof sender === 'string' ? (levels?.ofUser(sender) ?? 0) : 0;
  return {
    event,
    memberCount: joined,
    replacedContent: await findReplacedContent(db, event),
    senderMayNotify: (key) => levels !== null && senderLevel >= levels.forNotification(key),
    threadSubscribers,
  };
}

async function findDisplayName(db: ReadDb, roomId: string, userId: string): Promise<string | null> {
  const member = await findCurrentStateEvent(db, roomId, 'm.room.member', userId);
  if (member === undefined || member.redactedBy !== null) return null;
  const { content } = JSON.parse(member.pdu) as { readonly content?: unknown };
  const name = isJsonObject(content) ? content['displayname'] : undefined;
  return typeof name === 'string' ? name : null;
}

/** A user as rules look at one: the display name is read only where it counts. */
export async function readPushUser(
  { db }: PushServices,
  roomId: string,
  userId: string,
  { rules }: PushProfile,
): Promise<PushUser> {
  const displayName = rules.needsDisplayName ? await findDisplayName(db, roomId, userId) : null;
  return { userId, displayName };
}
