import { findLocalMembership } from '../../db/rooms/membership-reader.ts';
import type { StandingInState } from '../../db/rooms/standing-reader.ts';
import { readMemberChangesOfUserInRoom, type TimelineEntry } from '../../db/rooms/sync-reader.ts';
import { isShownToClients } from '../matrix/events/client-event.ts';
import { mayUserSeeEvent } from '../matrix/rooms/visibility.ts';
import type { ClientEvent } from './caches/client-events.ts';
import { standingInGroupCache, standingKey } from './caches/standing-in-group.ts';
import { findClientEvent } from './event-text.ts';
import { BEGINNING } from './sync-range.ts';
import type { ReadServices } from './sync-services.ts';

const HISTORY_VISIBILITY = 'm.room.history_visibility';
const FIELD = 'history_visibility';

const NOTHING: StandingInState = { historyVisibility: null, membership: null };
const INVISIBLE: EventVisibility = { isVisible: false, membership: 'leave' };

/** What an asker may see of one event. */
export interface EventVisibility {
  readonly isVisible: boolean;
  /** The asker's membership at the event; `leave` when there was none. */
  readonly membership: string;
}

/** Decides on one event. */
export type VisibilityCheck = (entry: TimelineEntry, event: ClientEvent) => Promise<EventVisibility>;

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

/** How a user who has been in a room since a position stands to it later. */
export function standingOfMember(userId: string, roomId: string, since: number, to: number): Standing {
  return { userId, roomId, membership: 'join', since, joinedUntil: to };
}

/**
 * How a user stands to a room as of a position of the events stream. Of several member events on branches of the room not all take
 * effect: in the end the membership that this server keeps of its users counts.
 */
export async function readStanding(
  services: ReadServices,
  userId: string,
  roomId: string,
  to: number,
): Promise<Standing> {
  const changes = await readMemberChangesOfUserInRoom(services.db, userId, roomId, BEGINNING, to);
  const own = await findLocalMembership(services.db, userId, roomId);
  const last = changes.at(-1);
  const isOverruled = own !== undefined && own.position <= to && own.membership !== last?.membership;
  const effective = isOverruled
    ? [...changes, { ...own, position: Math.max(own.position, last?.position ?? own.position) }]
    : changes;
  const standing = { userId, roomId, membership: null, since: BEGINNING, joinedUntil: null };
  return effective.reduce<Standing>((before, { membership, position }) => {
    const wasJoined = before.membership === 'join';
    return {
      ...before,
      membership,
      since: membership === before.membership ? before.since : position,
      joinedUntil: membership === 'join' ? to : wasJoined ? position : before.joinedUntil,
    };
  }, standing);
}

/** The content of the event that held a place before, where the event itself takes it. */
async function findReplacedBy(services: ReadServices, event: ClientEvent): Promise<ClientEvent | undefined> {
  return event.replaces === null ? undefined : findClientEvent(services, event.replaces);
}

/** History visibility and the user's membership in the state before an event. */
async function standingBefore(
  services: ReadServices,
  userId: string,
  entry: TimelineEntry,
  event: ClientEvent,
): Promise<{ readonly historyVisibility: unknown; readonly membership: string | null }> {
  const { cached } = services;
  // The group is the state after the event, which differs from the one before it in the event's own place only.
  const after =
    entry.stateGroup === null
      ? NOTHING
      : await cached.get(standingInGroupCache, standingKey(entry.stateGroup, userId));
  if (isOwnMember(userId, event))
    return { ...after, membership: (await findReplacedBy(services, event))?.membership ?? null };
  if (isVisibilityEvent(event))
    return { ...after, historyVisibility: (await findReplacedBy(services, event))?.content[FIELD] };
  return after;
}

function isOwnMember(userId: string, event: ClientEvent): boolean {
  return event.type === 'm.room.member' && event.stateKey === userId;
}

function isVisibilityEvent(event: ClientEvent): boolean {
  return event.type === HISTORY_VISIBILITY && event.stateKey === '';
}

/**
 * Makes the check of what one user may know of one room at its events. Membership and history visibility are those of the room's state
 * at each event; only for what this server has made since the user's present stay began, the stay itself is enough: an event of
 * another server that comes then may belong to a branch that the user was not in.
 * Client-Server API v1.19, "Room History Visibility".
 */
export function makeHistoryCheck(services: ReadServices, standing: Standing): VisibilityCheck {
  const { userId, joinedUntil } = standing;
  return async (entry, event) => {
    if (standing.membership === 'join' && event.isOurs && entry.position >= standing.since)
      return { isVisible: true, membership: 'join' };
    const before = await standingBefore(services, userId, entry, event);
    const isOwn = isOwnMember(userId, event);
    const isVisible = mayUserSeeEvent({
      historyVisibilityAtEvent: before.historyVisibility,
      ...(isVisibilityEvent(event) ? { historyVisibilityOfEvent: event.content[FIELD] } : {}),
      membershipAtEvent: before.membership,
      ...(isOwn ? { membershipOfEvent: event.membership ?? 'leave' } : {}),
      isCurrentlyOrLaterJoined: joinedUntil !== null && joinedUntil >= entry.position,
    });
    const membershipAfter = isOwn ? event.membership : before.membership;
    // Everybody may know of what was done to them.
    return { isVisible: isVisible || isOwn, membership: membershipAfter ?? 'leave' };
  };
}

/**
 * The same for the events themselves: what no client is shown is not visible to anybody, and what is sticky is visible to whoever is in the room.
 * MSC4354, "History visibility checks".
 */
export function makeVisibilityCheck(services: ReadServices, standing: Standing): VisibilityCheck {
  const check = makeHistoryCheck(services, standing);
  const isStickyFor = ({ stickyUntil }: ClientEvent): boolean =>
    stickyUntil !== null && standing.membership === 'join' && stickyUntil > services.clock.now();
  return (entry, event) => {
    if (event.isHidden || !isShownToClients(event.type, event.stateKey)) return Promise.resolve(INVISIBLE);
    const seen = check(entry, event);
    return isStickyFor(event) ? seen.then((known) => ({ ...known, isVisible: true })) : seen;
  };
}
