import {
  findMemberChangeAt,
  type MemberChange,
  readMemberChangesOfUser,
  type RoomOfUser,
} from '../../db/rooms/sync-reader.ts';
import type { InvitePermission } from '../matrix/invite-permission.ts';
import { roomsOfUserCache } from './caches/rooms-of-user.ts';
import type { SyncRange } from './sync-range.ts';
import type { ReadServices } from './sync-services.ts';

/** A room of the user as of the end of a range. */
export interface MembershipInRange extends RoomOfUser {
  /** The membership at the start of the range; null when there was none, or when it did not change. */
  readonly before: string | null;
  /** Who gave the user that membership; null as `before` is. */
  readonly beforeSender: string | null;
  /** The membership was written within the range. Always true in a first sync. */
  readonly isChanged: boolean;
  /** What changed the user's membership of this room within the range, ascending; empty in a first sync. */
  readonly changes: readonly MemberChange[];
}

const EVENTS = 'events';
const UNKNOWN_BEFORE = { before: null, beforeSender: null };

/** The rooms as of `to`: what the cache took from a database that is ahead of this thread's view is put back. */
async function roomsAt(services: ReadServices, userId: string, to: number): Promise<readonly RoomOfUser[]> {
  const rooms = await services.cached.get(roomsOfUserCache, userId);
  if (rooms.every((room) => room.position <= to)) return rooms;
  const placed = await Promise.all(
    rooms.map(async (room) => {
      if (room.position <= to) return room;
      const change = await findMemberChangeAt(services.db, userId, room.roomId, to);
      if (change === undefined) return undefined;
      const { roomId, membership, position, sender } = change;
      const eventId = change.eventId ?? room.eventId;
      return { roomId, membership, eventId, position, sender, isForgotten: room.isForgotten };
    }),
  );
  return placed.filter((room) => room !== undefined);
}

/**
 * Every room of a user as of the end of a range, and how it came to be so within the range.
 *
 * @param range of the events stream
 */
export async function readMemberships(
  services: ReadServices,
  userId: string,
  range: SyncRange,
): Promise<readonly MembershipInRange[]> {
  const [from, to] = [range.from(EVENTS), range.to(EVENTS)];
  const rooms = await roomsAt(services, userId, to);
  if (range.isInitial)
    return rooms.map((room) => ({ ...room, ...UNKNOWN_BEFORE, isChanged: true, changes: [] }));
  if (rooms.every((room) => room.position <= from))
    return rooms.map((room) => ({ ...room, ...UNKNOWN_BEFORE, isChanged: false, changes: [] }));
  const changes = await readMemberChangesOfUser(services.db, userId, from, to);
  const byRoom = Map.groupBy(changes, (change) => change.roomId);
  return Promise.all(
    rooms.map(async (room) => {
      if (room.position <= from) return { ...room, ...UNKNOWN_BEFORE, isChanged: false, changes: [] };
      const before = await findMemberChangeAt(services.db, userId, room.roomId, from);
      return {
        ...room,
        before: before?.membership ?? null,
        beforeSender: before?.sender ?? null,
        isChanged: true,
        changes: byRoom.get(room.roomId) ?? [],
      };
    }),
  );
}

/**
 * True when a room that the user is not in any more is one to which the user was invited before, by somebody whose invites are not shown: of
 * such a room a client knows nothing, and is told nothing when the invite is taken back.
 */
export function isUnseenInvite(room: MembershipInRange, invites: InvitePermission): boolean {
  const earlier = room.changes.findLast((change) => change.position < room.position);
  const membership = earlier?.membership ?? room.before;
  const sender = earlier?.sender ?? room.beforeSender;
  return membership === 'invite' && sender !== null && invites.verdictOf(sender) !== 'allow';
}

/** True when the user came into a room within the range, or left and came back: the client has to be given the room anew. */
export function isNewlyJoined(room: MembershipInRange, isInitial: boolean): boolean {
  if (room.membership !== 'join' || !room.isChanged) return false;
  return isInitial || room.before !== 'join' || room.changes.some((change) => change.membership !== 'join');
}
