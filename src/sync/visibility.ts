import { findStateOfGroup } from '../../db/rooms/state-reader.ts';
import { readMemberChangesOfUserInRoom, type TimelineEntry } from '../../db/rooms/sync-reader.ts';
import type { ClientEvent } from './caches/client-events.ts';
import { mayUserSeeEvent } from '../matrix/rooms/visibility.ts';
import { findClientEvent } from './event-text.ts';
import { BEGINNING } from './sync-range.ts';
import type { ReadServices } from './sync-services.ts';

const HISTORY_VISIBILITY = 'm.room.history_visibility';
const FIELD = 'history_visibility';

/** What an asker may see of one event. */
export interface EventVisibility {
  readonly isVisible: boolean;
  /** The asker's membership at the event; `leave` when there was none. */
  readonly membership: string;
}

/** How a user stands to a room at one position. */
export interface Standing {
  readonly userId: string;
  readonly roomId: string;
  /** Null when the user never had anything to do with it. */
  readonly membership: string | null;
  /** Position of the last event that changed the membership. */
  readonly since: number;
  /** Position at which the user was in the room for the last time; null when never. */
  readonly joinedUntil: number | null;
}

/** How a user stands to a room as of a position of the events stream. */
export async function readStanding(
  services: ReadServices,
  userId: string,
  roomId: string,
  to: number,
): Promise<Standing> {
  const changes = await readMemberChangesOfUserInRoom(services.db, userId, roomId, BEGINNING, to);
  const standing = { userId, roomId, membership: null, since: BEGINNING, joinedUntil: null };
  return changes.reduce<Standing>((before, { membership, position }) => {
    const wasJoined = before.membership === 'join';
    return {
      ...before,
      membership,
      since: membership === before.membership ? before.since : position,
      joinedUntil: membership === 'join' ? to : wasJoined ? position : before.joinedUntil,
    };
  }, standing);
}

/** The memberships before and after an event that is the user's own member event. */
async function ownMemberships(
  services: ReadServices,
  event: ClientEvent,
): Promise<{ readonly before: string | null; readonly after: string }> {
  const replaced = event.replaces === null ? undefined : await findClientEvent(services, event.replaces);
  return { before: replaced?.membership ?? null, after: event.membership ?? 'leave' };
}

/**
 * Makes the check of what one user may see of one room's events. Membership and history visibility are those of the room's state
 * at each event; only for what came after the user's present stay began, the stay itself is enough.
 * Client-Server API v1.19, "Room History Visibility".
 */
export function makeVisibilityCheck(
  services: ReadServices,
  standing: Standing,
): (entry: TimelineEntry, event: ClientEvent) => Promise<EventVisibility> {
  const { userId } = standing;
  const find = async (
    entry: TimelineEntry,
    type: string,
    stateKey: string,
  ): Promise<ClientEvent | undefined> => {
    if (entry.stateGroup === null) return undefined;
    const eventId = await findStateOfGroup(services.db, entry.stateGroup, type, stateKey);
    return eventId === undefined ? undefined : findClientEvent(services, eventId);
  };
  return async (entry, event) => {
    const isOwn = event.type === 'm.room.member' && event.stateKey === userId;
    if (standing.membership === 'join' && entry.position >= standing.since)
      return { isVisible: true, membership: 'join' };
    const own = isOwn ? await ownMemberships(services, event) : null;
    const member = own === null ? await find(entry, 'm.room.member', userId) : undefined;
    const membershipAtEvent = own === null ? (member?.membership ?? null) : own.before;
    const isVisibilityEvent = event.type === HISTORY_VISIBILITY && event.stateKey === '';
    const ruling = isVisibilityEvent
      ? event.replaces === null
        ? undefined
        : await findClientEvent(services, event.replaces)
      : await find(entry, HISTORY_VISIBILITY, '');
    const isVisible = mayUserSeeEvent({
      historyVisibilityAtEvent: ruling?.content[FIELD],
      ...(isVisibilityEvent ? { historyVisibilityOfEvent: event.content[FIELD] } : {}),
      membershipAtEvent,
      ...(own === null ? {} : { membershipOfEvent: own.after }),
      isCurrentlyOrLaterJoined: standing.joinedUntil !== null && standing.joinedUntil >= entry.position,
    });
    // Everybody may know of what was done to them.
    return { isVisible: isVisible || isOwn, membership: own?.after ?? membershipAtEvent ?? 'leave' };
  };
}
