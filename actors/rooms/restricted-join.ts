import { readHostsOfRoom } from '../../db/rooms/hosts-reader.ts';
import { readJoinedLocalUserIds } from '../../db/rooms/membership-reader.ts';
import { findPartialRoom } from '../../db/rooms/partial-reader.ts';
import { findCurrentStateEvent } from '../../db/rooms/state-reader.ts';
import { isJsonObject, type Json } from '../../src/kit/json.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { powerLevels } from '../../src/matrix/rooms/power-levels.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';

/** Rooms that a join rule names and that are looked at; a rule that names more is cut. */
export const ALLOWED_ROOMS_MAX = 100;

const CREATE = { type: 'm.room.create', stateKey: '' };
const POWER_LEVELS = { type: 'm.room.power_levels', stateKey: '' };
const JOIN_RULES = { type: 'm.room.join_rules', stateKey: '' };

function isRestricted(version: RoomVersion, rule: Json | undefined): boolean {
  return (
    (version.restricted && rule === 'restricted') || (version.knockRestricted && rule === 'knock_restricted')
  );
}

/** The rooms whose members may join. Client-Server API v1.19, "m.room.join_rules", `m.room_membership`. */
function allowedRooms(joinRules: Pdu): readonly string[] {
  const { allow } = joinRules.content;
  if (!Array.isArray(allow)) return [];
  const rooms: string[] = [];
  for (const condition of allow as readonly Json[]) {
    if (!isJsonObject(condition) || condition['type'] !== 'm.room_membership') continue;
    if (typeof condition['room_id'] === 'string') rooms.push(condition['room_id']);
  }
  return rooms.slice(0, ALLOWED_ROOMS_MAX);
}

/**
 * Whether a user is in one of the rooms; `unknown`: in none that this server knows all members of, and it does not know those of all. Who of its own users
 * is in a room it knows always.
 */
async function isInAnyRoom(
  desk: RoomsDesk,
  roomIds: readonly string[],
  userId: string,
): Promise<boolean | 'unknown'> {
  let isUnknown = false;
  for (const roomId of roomIds) {
    const member = await findCurrentStateEvent(desk.db, roomId, 'm.room.member', userId);
    if (member !== undefined && (JSON.parse(member.pdu) as Pdu).content['membership'] === 'join') return true;
    isUnknown ||= (await findCurrentStateEvent(desk.db, roomId, 'm.room.create', '')) === undefined;
    isUnknown ||=
      !isOfServer(userId, desk.serverName) && (await findPartialRoom(desk.db, roomId)) !== undefined;
  }
  return isUnknown ? 'unknown' : false;
}

/** A local user who is in the room and may invite. */
async function findVoucher(desk: RoomsDesk, room: Room): Promise<string | undefined> {
  await room.state.load([CREATE, POWER_LEVELS]);
  const create = room.state.find(CREATE.type, CREATE.stateKey);
  if (create === undefined) return undefined;
  const levels = powerLevels(room.version, create, room.state.find(POWER_LEVELS.type, POWER_LEVELS.stateKey));
  for (const userId of await readJoinedLocalUserIds(desk.db, room.roomId)) {
    if (levels.ofUser(userId) < levels.invite) continue;
    // The database may be behind what is staged.
    const key = { type: 'm.room.member', stateKey: userId };
    await room.state.load([key]);
    if (room.state.find(key.type, key.stateKey)?.content['membership'] === 'join') return userId;
  }
  return undefined;
}

/** What this server can say of a join into a room whose join rule lets members of other rooms in. */
export type RestrictedJoin =
  /** The join rule is another one. */
  | { readonly kind: 'not-restricted' }
  /** The user is in one of the rooms, and `via` may let the user in. */
  | { readonly kind: 'granted'; readonly via: string }
  | { readonly kind: 'not-a-member' }
  /** This server is not in all of the rooms, and the user in none of those that it is in. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'nobody-may-invite' };

/**
 * Finds who vouches for a join into a room whose join rule lets members of other rooms in.
 * Client-Server API v1.19, "Restricted rooms"; room version 8 and later.
 *
 * @param userId neither joined nor invited
 */
export async function judgeRestrictedJoin(
  desk: RoomsDesk,
  room: Room,
  userId: string,
): Promise<RestrictedJoin> {
  await room.state.load([JOIN_RULES]);
  const joinRules = room.state.find(JOIN_RULES.type, JOIN_RULES.stateKey);
  if (joinRules === undefined || !isRestricted(room.version, joinRules.content['join_rule']))
    return { kind: 'not-restricted' };
  const isMember = await isInAnyRoom(desk, allowedRooms(joinRules), userId);
  if (isMember !== true) return { kind: isMember === 'unknown' ? 'unknown' : 'not-a-member' };
  const via = await findVoucher(desk, room);
  return via === undefined ? { kind: 'nobody-may-invite' } : { kind: 'granted', via };
}

async function hasOtherServers(desk: RoomsDesk, room: Room): Promise<boolean> {
  const hosts = await readHostsOfRoom(desk.db, room.roomId);
  return hosts.some((host) => host !== desk.serverName);
}

/**
 * The same for a local user.
 *
 * @returns undefined where the join rule is another one, the vouching user's id, or refused: with M_UNABLE_TO_AUTHORISE_JOIN or
 * M_UNABLE_TO_GRANT_JOIN where another server in the room may know better, otherwise with M_FORBIDDEN
 */
export async function authoriseRestrictedJoin(
  desk: RoomsDesk,
  room: Room,
  userId: string,
): Promise<string | undefined | Refusal> {
  const join = await judgeRestrictedJoin(desk, room, userId);
  if (join.kind === 'not-restricted') return undefined;
  if (join.kind === 'granted') return join.via;
  if (join.kind !== 'not-a-member' && (await hasOtherServers(desk, room)))
    return join.kind === 'unknown'
      ? refuse('M_UNABLE_TO_AUTHORISE_JOIN', 'this server is not in all rooms whose members may join')
      : refuse('M_UNABLE_TO_GRANT_JOIN', 'nobody of this server who is in the room may invite');
  if (join.kind === 'nobody-may-invite')
    return refuse('M_FORBIDDEN', 'nobody of this server who is in the room may invite');
  return refuse('M_FORBIDDEN', 'you are not in any of the rooms whose members may join this one');
}
