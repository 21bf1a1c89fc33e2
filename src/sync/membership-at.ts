import { type MemberChange, readMemberChangesOfUserInRoom } from '../../db/rooms/sync-reader.ts';
import type { ClientEvent } from './caches/client-events.ts';
import type { RoomOfUser } from '../../db/rooms/sync-reader.ts';
import type { SyncContext } from './sync-context.ts';
import { BEGINNING } from './sync-range.ts';

/** The caller's membership at an event of a room's state; null when the place of the event is not known. */
export type MembershipAt = (event: ClientEvent) => Promise<string | null>;

function membershipBefore(changes: readonly MemberChange[], position: number): string {
  const last = changes.findLast((change) => change.position <= position);
  return last === undefined || last.membership === 'removed' ? 'leave' : last.membership;
}

/**
 * Makes what tells the caller's membership at events of one room's state, by the order in which this server has the events: where a room has
 * branches, that is near enough for what is said beside an event. Asks the database once, and only for events of before the present membership.
 * Client-Server API v1.19, "Room event format", `UnsignedData`, `membership`.
 */
export function makeMembershipAt(context: SyncContext, room: RoomOfUser): MembershipAt {
  const { services, caller, range } = context;
  let loading: Promise<readonly MemberChange[]> | null = null;
  return async ({ position }) => {
    if (position === null) return null;
    if (room.membership === 'join' && position >= room.position) return 'join';
    const to = range.to('events');
    loading ??= readMemberChangesOfUserInRoom(services.db, caller.userId, room.roomId, BEGINNING, to);
    return membershipBefore(await loading, position);
  };
}
