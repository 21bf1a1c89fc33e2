import type { ReadDb } from '../../../db/kit/read-db.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import { isJsonObject, type JsonObject } from '../../kit/json.ts';
import type { EventFacts, PushUser } from '../../matrix/push/condition.ts';
import type { Caches } from '../../streams/cache.ts';
import { roomSummaryCache } from '../caches/room-summary.ts';
import type { PushProfile } from './push-profile.ts';
import { roomLevelsCache } from './push-room.ts';

/** What evaluating events needs. */
export interface PushServices {
  readonly db: ReadDb;
  readonly cached: Caches;
}

/**
 * What an event is looked at with, as its room is now.
 *
 * @param event as clients get it, with `room_id`
 */
export async function readEventFacts(
  { cached }: PushServices,
  roomId: string,
  event: JsonObject,
): Promise<EventFacts> {
  const { joined } = await cached.get(roomSummaryCache, roomId);
  const levels = await cached.get(roomLevelsCache, roomId);
  const { sender } = event;
  const senderLevel = typeof sender === 'string' ? (levels?.ofUser(sender) ?? 0) : 0;
  return {
    event,
    memberCount: joined,
    senderMayNotify: (key) => levels !== null && senderLevel >= levels.forNotification(key),
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
