import { readStickyEvents, readStickyRoomByRoom, type StickyEvent } from '../../db/rooms/sticky-reader.ts';
import type { StickyCursor, SyncToken } from '../streams/token.ts';
import { eventText, findClientEvent } from './event-text.ts';
import { selectFieldsOfText } from './filtering.ts';
import { isNewlyJoined, type MembershipInRange } from './memberships.ts';
import type { SyncContext } from './sync-context.ts';
import type { SyncRange } from './sync-range.ts';
import type { Timeline } from './timeline.ts';
import { makeVisibilityCheck, standingOfMember } from './visibility.ts';

/** Sticky events of one answer, over all of its rooms. What does not fit comes with the next one. MSC4354, "Sync API changes". */
export const STICKY_EVENTS_MAX = 500;

const EVENTS = 'events';

/** The sticky events of one answer. */
export interface StickyNews {
  /** By room, oldest first. */
  readonly ofRoom: ReadonlyMap<string, readonly StickyEvent[]>;
  /** What the client's next token says of them; null when it was told everything. */
  readonly next: StickyCursor | null;
}

/** Rooms in the two ways in which they are told: {@link StickyCursor}. */
interface StickyRooms {
  readonly held: readonly string[];
  /** In the order in which they were joined. */
  readonly fresh: readonly Pick<MembershipInRange, 'roomId' | 'position'>[];
}

/** A page of one answer. */
interface Page {
  readonly events: readonly StickyEvent[];
  readonly next: StickyCursor | null;
}

/** Where a client stands that holds no cursor: it was told everything up to its position. */
function cursorOf(range: SyncRange): StickyCursor {
  const at = range.isInitial ? 0 : range.from(EVENTS);
  return range.sticky ?? { told: at, joined: at, within: 0 };
}

function sortRooms(
  { services, range }: SyncContext,
  cursor: StickyCursor,
  joined: readonly MembershipInRange[],
): StickyRooms {
  const isFresh = (room: MembershipInRange): boolean =>
    range.sticky === null ? isNewlyJoined(room, range.isInitial) : room.position > cursor.joined;
  const held: string[] = [];
  const fresh: MembershipInRange[] = [];
  for (const room of joined) {
    if (isFresh(room)) fresh.push(room);
    else if (services.streams.mayHaveChanged(EVENTS, `room:${room.roomId}`, cursor.told))
      held.push(room.roomId);
  }
  return { held, fresh: fresh.toSorted((left, right) => left.position - right.position) };
}

/** The page of rooms that are told one after the other; those that are told together are done. */
async function readFresh(
  { services, range }: SyncContext,
  { fresh }: StickyRooms,
  cursor: StickyCursor,
  room: number,
): Promise<Page> {
  const to = range.to(EVENTS);
  const now = services.clock.now();
  const roomIds = fresh.map(({ roomId }) => roomId);
  // Who has left the room that was being told is told the next one from its beginning.
  const within = fresh[0]?.position === cursor.joined + 1 ? cursor.within : 0;
  const events = await readStickyRoomByRoom(services.db, roomIds, { within, to, now }, room + 1);
  if (events.length <= room) return { events, next: null };
  const shown = events.slice(0, room);
  const last = shown[shown.length - 1];
  const lastRoom = last === undefined ? 0 : roomIds.indexOf(last.roomId);
  const reached = last?.position ?? within;
  // Rooms before it are done: they are told together with the others from here on.
  const joined = (fresh[lastRoom]?.position ?? 1) - 1;
  return { events: shown, next: { told: to, joined, within: reached } };
}

async function readPage(context: SyncContext, cursor: StickyCursor, rooms: StickyRooms): Promise<Page> {
  const { services, range } = context;
  const to = range.to(EVENTS);
  const question = { from: cursor.told, to, now: services.clock.now() };
  const held = await readStickyEvents(services.db, rooms.held, question, STICKY_EVENTS_MAX + 1);
  if (held.length > STICKY_EVENTS_MAX) {
    const events = held.slice(0, STICKY_EVENTS_MAX);
    return { events, next: { ...cursor, told: events[events.length - 1]?.position ?? cursor.told } };
  }
  const fresh = await readFresh(context, rooms, cursor, STICKY_EVENTS_MAX - held.length);
  return { events: [...held, ...fresh.events], next: fresh.next };
}

/**
 * Reads the sticky events that an answer tells of, whatever the timelines show: of rooms that the client had those since its last sync, of others all
 * that live, at most {@link STICKY_EVENTS_MAX}. A room that nothing happened in, and a server without sticky events, cost next to nothing.
 *
 * @param joined the rooms of the answer that the user has joined
 * @param completed rooms whose missing members came within the range
 */
export async function readSticky(
  context: SyncContext,
  joined: readonly MembershipInRange[],
  completed: ReadonlySet<string>,
): Promise<StickyNews> {
  const cursor = cursorOf(context.range);
  const { events, next } = await readPage(context, cursor, sortRooms(context, cursor, joined));
  const ofRoom = Map.groupBy(events, (event) => event.roomId);
  if (completed.size === 0) return { ofRoom, next };
  // Of these the client may have been told nothing: rare enough to tell all again that lives.
  const { services, range } = context;
  const roomIds = joined.map(({ roomId }) => roomId).filter((roomId) => completed.has(roomId));
  const question = { from: 0, to: range.to(EVENTS), now: services.clock.now() };
  const again = await readStickyEvents(services.db, roomIds, question, STICKY_EVENTS_MAX);
  return { ofRoom: new Map([...ofRoom, ...Map.groupBy(again, (event) => event.roomId)]), next };
}

/** The token of an answer: as it is when all sticky events were told. */
export function withSticky(token: SyncToken, { next }: StickyNews): SyncToken {
  return next === null ? token : { ...token, sticky: next };
}

/**
 * The texts of the section `msc4354_sticky` of a room: what its timeline does not show, but of users whom the caller ignores. A joined user may see
 * them whatever the history visibility.
 */
export async function stickyTexts(
  context: SyncContext,
  events: readonly StickyEvent[],
  room: MembershipInRange,
  timeline: Timeline,
): Promise<readonly string[]> {
  if (events.length === 0) return [];
  const { services, caller, filter, ignored, range } = context;
  const standing =
    timeline.standing ?? standingOfMember(caller.userId, room.roomId, room.position, range.to(EVENTS));
  const check = makeVisibilityCheck(services, standing);
  const shown = new Set(timeline.items.map(({ event }) => event.eventId));
  const texts: string[] = [];
  for (const entry of events) {
    if (shown.has(entry.eventId)) continue;
    const event = await findClientEvent(services, entry.eventId);
    // It may have been purged or redacted since it was read.
    if (event === undefined || event.stickyUntil === null || ignored.has(event.sender)) continue;
    const { isVisible, membership } = await check(entry, event);
    if (isVisible)
      texts.push(selectFieldsOfText(filter, await eventText(services, caller, event, { membership })));
  }
  return texts;
}
