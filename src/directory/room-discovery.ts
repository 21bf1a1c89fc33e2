import { allowedRoomIdsOf, roomIdOf } from './room-chunk.ts';
import type { JsonObject } from '../kit/json.ts';
import { roomsOfUserCache } from '../sync/caches/rooms-of-user.ts';
import type { ReadServices } from '../sync/sync-services.ts';
import { type RoomDescription, roomDescriptionCache } from './caches/room-description.ts';

/** Somebody who looks for rooms. */
export interface Seeker {
  /** The membership of each room that the seeker has or had anything to do with; none for who is not logged in. */
  readonly memberships: ReadonlyMap<string, string>;
  /** Who is not logged in, and guests, get to know only what everybody may. */
  readonly isStranger: boolean;
}

/** Who is not logged in. */
export const STRANGER: Seeker = { memberships: new Map(), isStranger: true };

/** Looks up a local user who looks for rooms. */
export async function findSeeker(
  services: Pick<ReadServices, 'cached'>,
  caller: { readonly userId: string; readonly isGuest: boolean },
): Promise<Seeker> {
  const rooms = await services.cached.get(roomsOfUserCache, caller.userId);
  return {
    memberships: new Map(rooms.map(({ roomId, membership }) => [roomId, membership])),
    isStranger: caller.isGuest,
  };
}

/** What a room is; undefined for one that this server is not in. */
export async function findDescription(
  services: Pick<ReadServices, 'cached'>,
  roomId: string,
): Promise<RoomDescription | undefined> {
  return (await services.cached.get(roomDescriptionCache, roomId)) ?? undefined;
}

function isKnockable({ joinRule, version }: RoomDescription): boolean {
  return (
    (joinRule === 'knock' && version.knock) || (joinRule === 'knock_restricted' && version.knockRestricted)
  );
}

/**
 * Decides whether somebody may know of a room: who is in it or invited, who could join or knock, and everybody where everybody may read.
 * Client-Server API v1.19, `GET /rooms/{roomId}/hierarchy`, `rooms`; `GET /room_summary/{roomIdOrAlias}` for who is not logged in.
 */
export function mayKnowOf(seeker: Seeker, room: RoomDescription): boolean {
  const membership = seeker.memberships.get(room.roomId);
  if (membership === 'join' || membership === 'invite') return true;
  if (room.isWorldReadable || room.joinRule === 'public') return true;
  if (seeker.isStranger) return false;
  if (isKnockable(room)) return true;
  return room.allowedRoomIds.some((roomId) => seeker.memberships.get(roomId) === 'join');
}

const KNOCKABLE: ReadonlySet<unknown> = new Set(['knock', 'knock_restricted']);

/**
 * As {@link mayKnowOf}, of a room that this server is not in, by what another server says of it: its join rule is `public` when it says none.
 * Server-Server API v1.19, `GET /_matrix/federation/v1/hierarchy/{roomId}`.
 */
export function mayKnowOfRemote(seeker: Seeker, summary: JsonObject): boolean {
  const membership = seeker.memberships.get(roomIdOf(summary));
  if (membership === 'join' || membership === 'invite') return true;
  const joinRule = summary['join_rule'] ?? 'public';
  if (summary['world_readable'] === true || joinRule === 'public') return true;
  if (seeker.isStranger) return false;
  if (KNOCKABLE.has(joinRule)) return true;
  return allowedRoomIdsOf(summary).some((roomId) => seeker.memberships.get(roomId) === 'join');
}

/** Another server that looks for rooms. */
export interface SeekingServer {
  /** Is anybody of that server in the room? */
  readonly isIn: (roomId: string) => Promise<boolean>;
}

/**
 * Decides whether another server may know of a room: one of whose users is in it, could join or knock, or where everybody may read.
 * Server-Server API v1.19, `GET /_matrix/federation/v1/hierarchy/{roomId}`, `children`.
 */
export async function mayServerKnowOf(server: SeekingServer, room: RoomDescription): Promise<boolean> {
  if (room.isWorldReadable || room.joinRule === 'public' || isKnockable(room)) return true;
  if (await server.isIn(room.roomId)) return true;
  for (const roomId of room.allowedRoomIds) if (await server.isIn(roomId)) return true;
  return false;
}
