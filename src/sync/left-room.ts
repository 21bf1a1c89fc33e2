import { BEGINNING } from './sync-range.ts';
import type { AccountDataNews } from './account-data.ts';
import { getClientEvent } from './event-text.ts';
import { acceptsRoomAccountData, acceptsTimeline, timelineLimitOf } from './filtering.ts';
import { eventsText, eventsTextUnlessEmpty, objectText } from './json-text.ts';
import { readWindowState, stateTexts } from './joined-room.ts';
import type { MembershipInRange } from './memberships.ts';
import type { SyncContext } from './sync-context.ts';
import { formatToken } from '../streams/token.ts';
import { loadTimeline, type Timeline, timelineText } from './timeline.ts';
import { makeVisibilityCheck, readStanding, type Standing } from './visibility.ts';

const EVENTS = 'events';

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

/** The member event of the leave, where it is no event of the timeline: an invite that was rejected while its server was away. */
async function withOutOfBandLeave(
  context: SyncContext,
  room: MembershipInRange,
  timeline: Timeline,
): Promise<Timeline> {
  if (timeline.wasLookedAt(room.eventId) || timeline.isLimited) return timeline;
  const event = await getClientEvent(context.services, room.eventId);
  if (!acceptsTimeline(context.filter, event)) return timeline;
  const { eventId, position, membership } = room;
  const entry = {
    eventId,
    position,
    depth: 0,
    stateGroup: null,
    stateType: event.type,
    stateKey: event.stateKey,
  };
  return { ...timeline, items: [...timeline.items, { entry, event, membership }] };
}

/**
 * All that somebody who was not in the room may know of its state: the own membership. A client that was given `state_after` takes no state from
 * the timeline, so without it a ban that follows a kick would not reach it.
 */
function readOwnMembership(context: SyncContext, room: MembershipInRange): Promise<readonly string[]> {
  if (context.stateForm === 'state') return Promise.resolve([]);
  const { eventId } = room;
  return stateTexts(context, [{ type: 'm.room.member', stateKey: context.caller.userId, eventId }]);
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
  const { from, isFull } = openLeftWindow(context, room, standing);
  const loaded = await loadTimeline(context, {
    roomId,
    from,
    to,
    limit: timelineLimitOf(filter),
    accepts: (event) => acceptsTimeline(filter, event),
    visibility: makeVisibilityCheck(services, standing),
  });
  const timeline = await withOutOfBandLeave(context, room, loaded);
  const window = { roomId, from, to, timeline, isFull, isEnded: true };
  const mayKnowState = isFull || room.before === 'join';
  const state = mayKnowState
    ? await readWindowState(context, window, isFull ? [caller.userId] : [])
    : await readOwnMembership(context, room);
  const ownData = (accountData.ofRoom.get(roomId) ?? [])
    .filter((item) => acceptsRoomAccountData(filter, roomId, item.type))
    .map((item) => item.text);
  return objectText([
    [stateForm, stateForm === 'state' ? eventsTextUnlessEmpty(state) : eventsText(state)],
    ['timeline', await timelineText(context, timeline, formatToken(range.upTo))],
    ['account_data', eventsTextUnlessEmpty(ownData)],
  ]);
}
