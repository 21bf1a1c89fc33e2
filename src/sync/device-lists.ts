import { readUsersWithChangedDevices } from '../../db/device-lists/sync-reader.ts';
import { readSignedUsers } from '../../db/keys/sync-reader.ts';
import { readJoinedUserIds, readJoinedUserIdsAt } from '../../db/rooms/member-reader.ts';
import {
  findMemberChangeAt,
  type MemberChange,
  readUsersThatShareRooms,
} from '../../db/rooms/sync-reader.ts';
import { deviceListsStream } from '../streams/device-lists-stream.ts';
import { keysStream } from '../streams/keys-stream.ts';
import { isNewlyJoined, type MembershipInRange } from './memberships.ts';
import type { SyncRange } from './sync-range.ts';
import type { ReadServices, SyncCaller } from './sync-services.ts';

/** Who asks, and over which range. */
export interface DeviceListContext {
  readonly services: ReadServices;
  readonly caller: SyncCaller;
  readonly range: SyncRange;
}

/** What an answer says of other users' devices. */
export interface DeviceListNews {
  readonly changed: readonly string[];
  readonly left: readonly string[];
}

/** How the rooms of the caller, and those in them, came and went within the range. */
export interface SharedRooms {
  /** All rooms that the caller has joined. */
  readonly joined: readonly string[];
  /** Those of them that are new to the client. */
  readonly newlyJoined: readonly string[];
  /** {@link roomsLeft} of the range. */
  readonly left: readonly { readonly roomId: string; readonly position: number }[];
  /** Changes of memberships within the range in the joined rooms. */
  readonly memberChanges: readonly MemberChange[];
}

/**
 * Rooms that the caller was in at the start of a range and has left since, each with the position of its last membership; one to which it
 * came back is among them, too: who left meanwhile is not told otherwise.
 */
export function roomsLeft(memberships: readonly MembershipInRange[]): SharedRooms['left'] {
  return memberships.filter(
    (room) => room.before === 'join' && (room.membership !== 'join' || isNewlyJoined(room, false)),
  );
}

const NOTHING: DeviceListNews = { changed: [], left: [] };
const GONE: ReadonlySet<string> = new Set(['leave', 'ban', 'removed']);

async function readChangedDevices(
  context: DeviceListContext,
  joined: readonly string[],
): Promise<readonly string[]> {
  const { range, services, caller } = context;
  const { name } = deviceListsStream;
  const [from, to] = [range.from(name), range.to(name)];
  if (from >= to) return [];
  const mayHaveChanged =
    services.streams.mayHaveChanged(name, `user:${caller.userId}`, from) ||
    joined.some((roomId) => services.streams.mayHaveChanged(name, `room:${roomId}`, from));
  return mayHaveChanged ? readUsersWithChangedDevices(services.db, from, to) : [];
}

/** Users whose keys the caller has signed, on whatever device: nobody else is told of it. */
async function readSigned({ range, services, caller }: DeviceListContext): Promise<readonly string[]> {
  const { name } = keysStream;
  const [from, to] = [range.from(name), range.to(name)];
  const maySign = from < to && services.streams.mayHaveChanged(name, `user:${caller.userId}`, from);
  return maySign ? readSignedUsers(services.db, caller.userId, from, to) : [];
}

/**
 * Who came into one of the caller's rooms; who only changed a name was there before. Who left and came back is among them: what changed
 * in between was no news for this room.
 */
async function readArrivals(context: DeviceListContext, changes: readonly MemberChange[]): Promise<string[]> {
  const { range, services } = context;
  const arrived = new Set<string>();
  const wasAway = new Set<string>();
  for (const { userId, roomId, membership } of changes) {
    const place = `${userId} ${roomId}`;
    if (GONE.has(membership)) wasAway.add(place);
    if (membership !== 'join' || arrived.has(userId)) continue;
    const before = await findMemberChangeAt(services.db, userId, roomId, range.from('events'));
    if (wasAway.has(place) || before?.membership !== 'join') arrived.add(userId);
  }
  return [...arrived];
}

async function readMembersOf(context: DeviceListContext, roomIds: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(roomIds.map((roomId) => readJoinedUserIds(context.services.db, roomId)));
  return lists.flat();
}

/**
 * Who was in the rooms that the caller has left, as the client knows them: those who left before the caller did are among them, those who
 * came afterwards are none of its business. Where the history from then is purged, as of the end.
 */
async function readMembersLeft(context: DeviceListContext, left: SharedRooms['left']): Promise<string[]> {
  const { range, services } = context;
  const members: string[] = [];
  for (const { roomId, position } of left) {
    const known = await readJoinedUserIdsAt(services.db, roomId, range.from('events'));
    members.push(...(known.length > 0 ? known : await readJoinedUserIdsAt(services.db, roomId, position)));
  }
  return members;
}

/**
 * Users whose devices changed, or who share a room with the caller only now; and users who share none any more. Nothing in a first
 * sync: then the client knows nothing yet. Client-Server API v1.19, "Extensions to /sync" of end-to-end encryption.
 */
export async function readDeviceLists(
  context: DeviceListContext,
  rooms: SharedRooms,
): Promise<DeviceListNews> {
  const { range, services, caller } = context;
  if (range.isInitial) return NOTHING;
  const devices = await readChangedDevices(context, rooms.joined);
  const signed = await readSigned(context);
  const arrived = [
    ...(await readArrivals(context, rooms.memberChanges)),
    ...(await readMembersOf(context, rooms.newlyJoined)),
  ];
  const departed = [
    ...rooms.memberChanges.filter((change) => GONE.has(change.membership)).map((change) => change.userId),
    ...(await readMembersLeft(context, rooms.left)),
  ];
  const candidates = [...new Set([...devices, ...arrived, ...departed])];
  const sharing = await readUsersThatShareRooms(services.db, candidates, rooms.joined);
  const isOwn = (userId: string): boolean => userId === caller.userId;
  return {
    changed: [...new Set([...devices, ...arrived, ...signed])].filter(
      (userId) => signed.includes(userId) || (isOwn(userId) ? devices.includes(userId) : sharing.has(userId)),
    ),
    left: [...new Set(departed)].filter((userId) => !isOwn(userId) && !sharing.has(userId)),
  };
}
