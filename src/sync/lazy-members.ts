import type { StateEntry } from '../../db/rooms/state-reader.ts';
import { sentMembersCache, sentMembersKey } from './caches/sent-members.ts';
import { lazyLoadingOf } from './filtering.ts';
import { findStateEventAt, type RoomWindow, startOf } from './room-state.ts';
import type { SyncContext } from './sync-context.ts';

const MEMBER = 'm.room.member';
const EVENTS = 'events';

/** Members that the client needs to show the timeline, in the order in which they speak. */
function membersNeeded(window: RoomWindow, further: readonly string[]): ReadonlySet<string> {
  return new Set([...window.timeline.items.map(({ event }) => event.sender), ...further]);
}

/** Members whose event the timeline itself shows. */
function membersShown(window: RoomWindow): ReadonlySet<string> {
  const members = window.timeline.items.filter(({ event }) => event.type === MEMBER);
  return new Set(members.map(({ event }) => event.stateKey ?? ''));
}

/**
 * Leaves of a state what lazy loading lets through: members only where the timeline needs them and the device does not have them yet, or has them as they
 * were before; and adds members that the timeline needs. Without lazy loading the state stays as it is.
 * Client-Server API v1.19, "Lazy-loading room members".
 *
 * @param further members that are needed beside the senders of the timeline: heroes, the user
 */
export async function applyLazyLoading(
  context: SyncContext,
  window: RoomWindow,
  entries: readonly StateEntry[],
  further: readonly string[],
): Promise<readonly StateEntry[]> {
  const { isLazy, includesRedundant } = lazyLoadingOf(context.filter);
  if (!isLazy) return entries;
  const { services, caller, range } = context;
  const { roomId } = window;
  const sent = await services.cached.get(sentMembersCache, sentMembersKey(caller.userId, caller.deviceId));
  const since = range.isInitial ? Number.MIN_SAFE_INTEGER : range.from(EVENTS);
  const hasAlready = (userId: string, eventId: string): boolean =>
    !includesRedundant && !window.isFull && sent.has(roomId, userId, eventId, since);
  const shown = membersShown(window);
  // Who asks for `state_after` takes no state from the timeline: changes that the timeline shows must stand in it as well.
  const toldAgain = context.stateForm === 'state' ? [] : shown;
  const needed = membersNeeded(window, [...further, ...toldAgain]);
  const isOutdated = (userId: string): boolean => !range.isInitial && sent.knows(roomId, userId);
  const members = new Map<string, string>();
  for (const entry of entries)
    if (entry.type === MEMBER && (needed.has(entry.stateKey) || isOutdated(entry.stateKey)))
      members.set(entry.stateKey, entry.eventId);
  for (const userId of window.isFull ? [] : needed) {
    if (members.has(userId) || shown.has(userId)) continue;
    const eventId = await findStateEventAt(services, roomId, MEMBER, userId, startOf(window) - 1);
    if (eventId !== undefined) members.set(userId, eventId);
  }
  const added = [...members].filter(([userId, eventId]) => !hasAlready(userId, eventId));
  for (const [userId, eventId] of added) sent.add(roomId, userId, eventId, range.to(EVENTS));
  for (const { event } of window.timeline.items)
    if (event.type === MEMBER) sent.add(roomId, event.stateKey ?? '', event.eventId, range.to(EVENTS));
  return [
    ...entries.filter((entry) => entry.type !== MEMBER),
    ...added.map(([stateKey, eventId]) => ({ type: MEMBER, stateKey, eventId })),
  ];
}
