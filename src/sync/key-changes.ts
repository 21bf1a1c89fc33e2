import type { MemberChange } from '../../db/rooms/sync-reader.ts';
import { type DeviceListContext, type DeviceListNews, readDeviceLists, roomsLeft } from './device-lists.ts';
import { isNewlyJoined, type MembershipInRange, readMemberships } from './memberships.ts';
import { readRecentMemberChanges } from './recent-events.ts';
import { findCompletedRooms } from './room-wholeness.ts';

const EVENTS = 'events';

/** Changes of memberships in rooms of which an answer tells nothing else. */
export async function readChangesOfMembers(
  { services, range }: DeviceListContext,
  joined: readonly MembershipInRange[],
): Promise<readonly MemberChange[]> {
  const [from, to] = [range.from(EVENTS), range.to(EVENTS)];
  const changed = joined.filter(({ roomId }) =>
    services.streams.mayHaveChanged(EVENTS, `room:${roomId}`, from),
  );
  const changes = await Promise.all(
    changed.map(({ roomId }) => readRecentMemberChanges(services, roomId, from, to)),
  );
  return changes.flat();
}

/**
 * Whose devices the caller has to ask for again after a range, and whose no longer: what the answers of sync over that range have said, for
 * a client that has missed them. Client-Server API v1.19, `GET /_matrix/client/v3/keys/changes`.
 */
export async function readKeyChanges(context: DeviceListContext): Promise<DeviceListNews> {
  const { services, caller, range } = context;
  const memberships = await readMemberships(services, caller.userId, range);
  const joined = memberships.filter(({ membership }) => membership === 'join');
  const roomIds = joined.map(({ roomId }) => roomId);
  const completed = await findCompletedRooms(services, range, roomIds);
  const newlyJoined = joined.filter((room) => isNewlyJoined(room, false) || completed.has(room.roomId));
  return readDeviceLists(context, {
    joined: roomIds,
    newlyJoined: newlyJoined.map(({ roomId }) => roomId),
    left: roomsLeft(memberships),
    memberChanges: await readChangesOfMembers(
      context,
      joined.filter((room) => !newlyJoined.includes(room)),
    ),
  });
}
