import type { MemberChange } from '../../db/rooms/sync-reader.ts';
import type { StateEntry } from '../../db/rooms/state-reader.ts';
import { type AccountDataNews, readItemsOfNewRoom } from './account-data.ts';
import { NOBODY_TYPES, readReceipts, type ReceiptNews, type TypingNews } from './ephemeral.ts';
import { findClientEvent } from './event-text.ts';
import {
  acceptsEphemeral,
  acceptsNoTimeline,
  acceptsRoomAccountData,
  acceptsState,
  acceptsTimeline,
  lazyLoadingOf,
  timelineLimitOf,
} from './filtering.ts';
import { eventsText, eventsTextUnlessEmpty, objectText } from './json-text.ts';
import { applyLazyLoading } from './lazy-members.ts';
import { makeMembershipAt, type MembershipAt } from './membership-at.ts';
import { isNewlyJoined, type MembershipInRange } from './memberships.ts';
import { readRecentMemberChanges, readRecentStateChanges } from './recent-events.ts';
import { readStateAtEnd, readStateAtStart, type RoomWindow } from './room-state.ts';
import { readRoomSummary, type RoomSummary } from './room-summary.ts';
import { hasPurgedGap } from './purged-gap.ts';
import { type StickyNews, stickyTexts } from './sticky.ts';
import { findStayStart } from './server-stay.ts';
import { shownEventText } from './shown-event.ts';
import type { SyncContext } from './sync-context.ts';
import type { ReadServices } from './sync-services.ts';
import { BEGINNING } from './sync-range.ts';
import { receiptsStream } from '../streams/receipts-stream.ts';
import type { WakeKey } from '../streams/stream.ts';
import { formatToken } from '../streams/token.ts';
import { loadTimeline, type Timeline, timelineText } from './timeline.ts';
import { hasWantedRelations } from './wanted-relations.ts';
import { readUnreadTexts } from './unread.ts';
import { readStanding, standingOfMember } from './visibility.ts';

/** What rooms take from the parts of an answer that are read once for all of them. */
export interface RoomNews {
  readonly accountData: AccountDataNews;
  readonly typing: TypingNews;
  readonly sticky: StickyNews;
  /** Rooms whose missing members came within the range. MSC3902. */
  readonly completed: ReadonlySet<string>;
}

/** A joined room in an answer. */
export interface JoinedRoom {
  readonly roomId: string;
  /** Null when there is nothing to tell. */
  readonly text: string | null;
  /** There is something that a long poll is to end for. */
  readonly isNews: boolean;
  /** Member events of others within the range. */
  readonly memberChanges: readonly MemberChange[];
}

const EVENTS = 'events';

const NAMING_TYPES: ReadonlySet<string> = new Set(['m.room.name', 'm.room.canonical_alias']);

const EMPTY_TIMELINE: Timeline = { items: [], isLimited: false, isWhole: true, wasLookedAt: () => false };

/** The texts of state events that the filter lets through. */
export async function stateTexts(
  context: SyncContext,
  entries: readonly StateEntry[],
  membershipAt: MembershipAt,
): Promise<readonly string[]> {
  const { services, filter } = context;
  const texts: string[] = [];
  for (const { eventId } of entries) {
    const event = await findClientEvent(services, eventId);
    // A purge may have deleted it since its id was read.
    if (event === undefined || !acceptsState(filter, event)) continue;
    if (!(await hasWantedRelations(services.db, filter.room.state, eventId))) continue;
    const text = await shownEventText(context, event, { membership: await membershipAt(event) });
    if (text !== undefined) texts.push(text);
  }
  return texts;
}

/** The state of a window in the form that the client asked for. */
export async function readWindowState(
  context: SyncContext,
  window: RoomWindow,
  further: readonly string[],
  membershipAt: MembershipAt,
): Promise<readonly string[]> {
  const { services, stateForm } = context;
  const entries =
    stateForm === 'state' ? await readStateAtStart(services, window) : await readStateAtEnd(services, window);
  return stateTexts(context, await applyLazyLoading(context, window, entries, further), membershipAt);
}

/** The window of a joined room: newly joined rooms from their beginning, the others from the client's position. */
async function openWindow(
  context: SyncContext,
  room: MembershipInRange,
  isNew: boolean,
): Promise<RoomWindow> {
  const { services, caller, filter, range } = context;
  const { roomId } = room;
  const to = range.to(EVENTS);
  const from = isNew ? await findStayStart(services, roomId, to) : range.from(EVENTS);
  const isFull = isNew || context.fullState;
  const window = { roomId, from, to, isFull, isEnded: false };
  const mayHaveChanged = isNew || services.streams.mayHaveChanged(EVENTS, `room:${roomId}`, from);
  if (!mayHaveChanged || from >= to) return { ...window, timeline: EMPTY_TIMELINE };
  const standing = isNew
    ? await readStanding(services, caller.userId, roomId, to)
    : standingOfMember(caller.userId, roomId, room.position, to);
  const timeline = await loadTimeline(context, {
    roomId,
    acceptsNothing: acceptsNoTimeline(filter, roomId),
    from,
    to,
    limit: timelineLimitOf(filter),
    accepts: (event) => acceptsTimeline(filter, event),
    standing,
  });
  // Before the first event of a later stay is history that this server has missed.
  if (isNew && from !== BEGINNING) return { ...window, timeline: { ...timeline, isLimited: true } };
  if (!isNew && (await hasPurgedGap(services, roomId, from)))
    return { ...window, isFull: true, timeline: { ...timeline, isLimited: true, isWhole: false } };
  if (!isNew || range.isInitial || timeline.isLimited) return { ...window, timeline };
  // The client may hold something of an earlier stay: unless the room itself is new, there is a gap before what it gets now.
  const first = timeline.items[0];
  const isWholeRoom = first?.event.type === 'm.room.create' && first.entry.position > range.from(EVENTS);
  return { ...window, timeline: { ...timeline, isLimited: !isWholeRoom } };
}

interface Sections {
  readonly timeline: Timeline;
  readonly state: readonly string[];
  readonly summary: RoomSummary | null;
  readonly ephemeral: readonly string[];
  readonly accountData: readonly string[];
  readonly sticky: readonly string[];
}

/** The text of a room out of its sections. */
async function joinedRoomText(
  context: SyncContext,
  room: MembershipInRange,
  sections: Sections,
): Promise<string> {
  const { timeline, state, summary, ephemeral, accountData, sticky } = sections;
  const { stateForm, range } = context;
  const unread = await readUnreadTexts(context, room.roomId, room.position);
  return objectText([
    ['summary', summary?.text ?? null],
    [stateForm, stateForm === 'state' ? eventsTextUnlessEmpty(state) : eventsText(state)],
    ['timeline', await timelineText(context, timeline, formatToken(range.upTo))],
    ['ephemeral', eventsTextUnlessEmpty(ephemeral)],
    ['account_data', eventsTextUnlessEmpty(accountData)],
    ['msc4354_sticky', eventsTextUnlessEmpty(sticky)],
    ['unread_notifications', unread.room],
    ['unread_thread_notifications', unread.threads],
  ]);
}

function ephemeralTexts(
  { filter }: SyncContext,
  roomId: string,
  receipts: ReceiptNews,
  typing: TypingNews,
): string[] {
  const texts: string[] = [];
  const typingText = typing.textOf.get(roomId);
  if (typingText !== undefined && acceptsEphemeral(filter, roomId, 'm.typing')) texts.push(typingText);
  if (receipts.text !== null && acceptsEphemeral(filter, roomId, 'm.receipt')) texts.push(receipts.text);
  return texts;
}

/** What gives a room its name has changed within the window. */
async function isRenamed({ services }: SyncContext, { roomId, from, to }: RoomWindow): Promise<boolean> {
  const changes = await readRecentStateChanges(services, roomId, from, to);
  return changes.some(({ type, stateKey }) => stateKey === '' && NAMING_TYPES.has(type));
}

async function readOwnData(
  context: SyncContext,
  roomId: string,
  isNew: boolean,
  { ofRoom }: AccountDataNews,
): Promise<readonly string[]> {
  const isOld = !isNew || context.range.isInitial;
  const items = isOld ? (ofRoom.get(roomId) ?? []) : await readItemsOfNewRoom(context, roomId);
  return items
    .filter((item) => acceptsRoomAccountData(context.filter, roomId, item.type))
    .map((item) => item.text);
}

/** A room of which there is nothing to tell but that nobody types any more. */
function typingCorrection(context: SyncContext, roomId: string, typing: TypingNews): string | null {
  const isTold = typing.isStale && acceptsEphemeral(context.filter, roomId, 'm.typing');
  return isTold ? objectText([['ephemeral', eventsText([NOBODY_TYPES])]]) : null;
}

/** Changes of members within a window. When all that were missing came at once, only those that events of the timeline made. */
async function readMembersChanged(
  services: ReadServices,
  { roomId, from, to }: RoomWindow,
  isCompleted: boolean,
): Promise<readonly MemberChange[]> {
  const changes = await readRecentMemberChanges(services, roomId, from, to);
  if (!isCompleted) return changes;
  const stateChanges = await readRecentStateChanges(services, roomId, from, to);
  const inTimeline = new Set(stateChanges.flatMap((one) => (one.isTimelineEvent ? [one.eventId] : [])));
  return changes.filter(({ eventId }) => inTimeline.has(eventId));
}

/** True when a glance shows that there is nothing to tell of a room: of a thousand rooms few have news. */
export function isQuietRoom(
  context: SyncContext,
  { roomId, isChanged }: MembershipInRange,
  news: RoomNews,
): boolean {
  const { range, services, caller } = context;
  if (range.isInitial || context.fullState || isChanged) return false;
  const isTold = news.typing.isStale || news.typing.textOf.has(roomId);
  if (isTold || news.accountData.ofRoom.has(roomId) || news.sticky.ofRoom.has(roomId)) return false;
  const mayHave = (stream: string, key: WakeKey): boolean =>
    range.from(stream) < range.to(stream) && services.streams.mayHaveChanged(stream, key, range.from(stream));
  const room: WakeKey = `room:${roomId}`;
  if (mayHave(EVENTS, room) || mayHave(receiptsStream.name, room)) return false;
  return !mayHave(receiptsStream.name, `user:${caller.userId}`);
}

/**
 * A room that the user has joined, as far as it has news.
 * Client-Server API v1.19, "Syncing", `JoinedRoom`.
 */
export async function buildJoinedRoom(
  context: SyncContext,
  room: MembershipInRange,
  news: RoomNews,
): Promise<JoinedRoom> {
  const { services, caller, range } = context;
  const { roomId } = room;
  const isCompleted = news.completed.has(roomId);
  // Who does not load members lazily was told nothing of the room while it had none.
  const isHandedOver = isCompleted && !lazyLoadingOf(context.filter).isLazy;
  const isNew = range.isInitial || isNewlyJoined(room, false) || isHandedOver;
  const window = await openWindow(context, room, isNew);
  const hasMoved = window.timeline !== EMPTY_TIMELINE;
  const memberChanges = hasMoved && !isNew ? await readMembersChanged(services, window, isCompleted) : [];
  const isSummed =
    window.isFull ||
    isCompleted ||
    memberChanges.length > 0 ||
    (hasMoved && (await isRenamed(context, window)));
  const summary = isSummed ? await readRoomSummary(services, roomId, caller.userId) : null;
  const needed = (summary?.heroes ?? []).map((hero) => hero.userId);
  const further = window.isFull ? [...needed, caller.userId] : needed;
  const membershipAt = makeMembershipAt(context, room);
  const state =
    hasMoved || window.isFull ? await readWindowState(context, window, further, membershipAt) : [];
  const accountData = await readOwnData(context, roomId, isNew, news.accountData);
  const receipts = await readReceipts(context, roomId, isNew);
  const ephemeral = ephemeralTexts(context, roomId, receipts, news.typing);
  const { timeline } = window;
  const sticky = await stickyTexts(context, news.sticky.ofRoom.get(roomId) ?? [], room, timeline);
  const hasEvents = timeline.items.length > 0 || timeline.isLimited || state.length + sticky.length > 0;
  const isNews =
    window.isFull ||
    isCompleted ||
    hasEvents ||
    receipts.hasOwn ||
    memberChanges.length > 0 ||
    accountData.length + ephemeral.length > 0;
  const correction = typingCorrection(context, roomId, news.typing);
  if (!isNews) return { roomId, text: correction, isNews, memberChanges };
  const isCorrected = correction !== null && !news.typing.textOf.has(roomId);
  const told = isCorrected ? [NOBODY_TYPES, ...ephemeral] : ephemeral;
  const sections = { timeline, state, summary, ephemeral: told, accountData, sticky };
  return { roomId, text: await joinedRoomText(context, room, sections), isNews, memberChanges };
}
