import { findEvent } from '../../db/rooms/event-reader.ts';
import type { AccountDataNews } from './account-data.ts';
import { findClientEvent } from './event-text.ts';
import { acceptsNoTimeline, acceptsRoomAccountData, acceptsTimeline, timelineLimitOf } from './filtering.ts';
import { eventsText, eventsTextUnlessEmpty, objectText } from './json-text.ts';
import { readWindowState, stateTexts } from './joined-room.ts';
import { makeMembershipAt } from './membership-at.ts';
import type { MembershipInRange } from './memberships.ts';
import { hasPurgedGap } from './purged-gap.ts';
import { findStayStart } from './server-stay.ts';
import type { SyncContext } from './sync-context.ts';
import { BEGINNING } from './sync-range.ts';
import type { ReadServices } from './sync-services.ts';
import type { RoomWindow } from './room-state.ts';
import { formatToken } from '../streams/token.ts';
import { loadTimeline, type Timeline, timelineText } from './timeline.ts';
import { readStanding, type Standing } from './visibility.ts';

const EVENTS = 'events';

/** The membership of who is not in a room any more without an event that says so. */
const REMOVED = 'removed';

/** Where the client's knowledge of a room that the user has left begins. */
interface LeftWindow {
  readonly from: number;
  /** The client has nothing of the room, and the user has been in it. */
  readonly isFull: boolean;
}

function openLeftWindow(context: SyncContext, room: MembershipInRange, standing: Standing): LeftWindow {
  const wasJoined = standing.joinedUntil !== null;
  if (context.range.isInitial) return { from: BEGINNING, isFull: wasJoined };
  const from = context.range.from(EVENTS);
  if (room.before === 'join') return { from, isFull: context.fullState };
  const hasJoinedMeanwhile = room.changes.some((change) => change.membership === 'join');
  return { from, isFull: hasJoinedMeanwhile };
}

/** The member event stands in the timeline, so that it is there or was left out for a reason. */
async function isInTimeline(services: ReadServices, eventId: string): Promise<boolean> {
  const stored = await findEvent(services.db, eventId);
  return stored !== undefined && stored.streamOrdering !== null;
}

/**
 * The member event of the leave, where it is no event of the timeline: an invite that was rejected while its server was away. Who was
 * removed without an event gets none.
 */
async function withOutOfBandLeave(
  context: SyncContext,
  room: MembershipInRange,
  timeline: Timeline,
): Promise<Timeline> {
  const { services, filter } = context;
  if (room.membership === REMOVED || timeline.wasLookedAt(room.eventId)) return timeline;
  const limit = timelineLimitOf(filter);
  if (timeline.isLimited && (limit === 0 || (await isInTimeline(services, room.eventId)))) return timeline;
  const event = await findClientEvent(services, room.eventId);
  if (event === undefined || !acceptsTimeline(filter, event)) return timeline;
  const { eventId, position, membership } = room;
  const entry = {
    eventId,
    position,
    depth: 0,
    stateGroup: null,
    stateType: event.type,
    stateKey: event.stateKey,
  };
  const items = timeline.isLimited ? timeline.items.slice(1) : timeline.items;
  return { ...timeline, items: [...items, { entry, event, membership }] };
}

/**
 * All that somebody who was not in the room may know of its state: the own membership. A client that was given `state_after` takes no state from
 * the timeline, so without it a ban that follows a kick would not reach it.
 */
function readOwnMembership(context: SyncContext, room: MembershipInRange): Promise<readonly string[]> {
  if (context.stateForm === 'state' || room.membership === REMOVED) return Promise.resolve([]);
  const { eventId } = room;
  const entry = { type: 'm.room.member', stateKey: context.caller.userId, eventId };
  return stateTexts(context, [entry], makeMembershipAt(context, room));
}

/** The part of a window in which the user was in the room: a ban that comes after the leave does not show what the room became meanwhile. */
function untilEndOfStay(window: RoomWindow, { joinedUntil }: Standing): RoomWindow {
  if (joinedUntil === null || joinedUntil >= window.to) return window;
  const items = window.timeline.items.filter(({ entry }) => entry.position <= joinedUntil);
  return { ...window, to: joinedUntil, timeline: { ...window.timeline, items, isWhole: false } };
}

/**
 * A room that the user has left or was banned from: what happened up to then, the leave itself included.
 * Client-Server API v1.19, "Syncing", `LeftRoom`.
 */
export async function buildLeftRoom(
  context: SyncContext,
  room: MembershipInRange,
  accountData: AccountDataNews,
): Promise<string> {
  const { services, caller, filter, range, stateForm } = context;
  const { roomId } = room;
  const to = Math.min(room.position, range.to(EVENTS));
  const standing = await readStanding(services, caller.userId, roomId, to);
  const opened = openLeftWindow(context, room, standing);
  const hasGap = !range.isInitial && (await hasPurgedGap(services, roomId, opened.from));
  const isFull = opened.isFull || (hasGap && room.before === 'join');
  const from = isFull ? Math.max(opened.from, await findStayStart(services, roomId, to)) : opened.from;
  const loaded = await loadTimeline(context, {
    roomId,
    acceptsNothing: acceptsNoTimeline(filter, roomId),
    from,
    to,
    limit: timelineLimitOf(filter),
    accepts: (event) => acceptsTimeline(filter, event),
    standing,
  });
  const cut = hasGap ? { ...loaded, isLimited: true, isWhole: false } : loaded;
  const timeline = await withOutOfBandLeave(context, room, cut);
  const window = untilEndOfStay({ roomId, from, to, timeline, isFull, isEnded: true }, standing);
  const mayKnowState = isFull || room.before === 'join';
  const membershipAt = makeMembershipAt(context, room);
  const ofStay = mayKnowState
    ? await readWindowState(context, window, isFull ? [caller.userId] : [], membershipAt)
    : [];
  // What was done to the user after the stay comes last.
  const own = !mayKnowState || window.to < to ? await readOwnMembership(context, room) : [];
  const state = [...ofStay, ...own];
  const ownData = (accountData.ofRoom.get(roomId) ?? [])
    .filter((item) => acceptsRoomAccountData(filter, roomId, item.type))
    .map((item) => item.text);
  return objectText([
    [stateForm, stateForm === 'state' ? eventsTextUnlessEmpty(state) : eventsText(state)],
    ['timeline', await timelineText(context, timeline, formatToken(range.upTo))],
    ['account_data', eventsTextUnlessEmpty(ownData)],
  ]);
}
