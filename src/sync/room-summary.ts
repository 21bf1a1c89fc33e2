import { type Member, readHeroes } from '../../db/rooms/member-reader.ts';
import { roomSummaryCache } from './caches/room-summary.ts';
import { objectText } from './json-text.ts';
import { isRoomPartial } from './room-wholeness.ts';
import type { ReadServices } from './sync-services.ts';

/** The summary of a room for one member. */
export interface RoomSummary {
  /** Those who name the room; empty when it has a name. */
  readonly heroes: readonly Member[];
  readonly text: string;
}

/**
 * Counts of members, and who names a room that has no name. Where not all members are known yet there are no counts: a client then counts those that
 * it knows. Client-Server API v1.19, "Syncing", `RoomSummary`; MSC3902.
 */
export async function readRoomSummary(
  services: ReadServices,
  roomId: string,
  userId: string,
): Promise<RoomSummary> {
  const counts = await services.cached.get(roomSummaryCache, roomId);
  const heroes = counts.isNamed ? [] : await readHeroes(services.db, roomId, userId);
  const heroIds = heroes.map((hero) => hero.userId);
  const isPartial = await isRoomPartial(services, roomId);
  return {
    heroes,
    text: objectText([
      ['m.heroes', counts.isNamed ? null : JSON.stringify(heroIds)],
      ['m.joined_member_count', isPartial ? null : String(counts.joined)],
      ['m.invited_member_count', isPartial ? null : String(counts.invited)],
    ]),
  };
}
