import { findStateOfGroup } from '../../../../db/rooms/state-reader.ts';
import type { TimelineEntry } from '../../../../db/rooms/sync-reader.ts';
import {
  readTimelineBackward,
  readTimelineForward,
  type TopologicalPlace,
} from '../../../../db/rooms/timeline-reader.ts';
import { matchesRoomEvent, type RoomEventFilter } from '../../../matrix/sync-filter.ts';
import { bundleTexts, type Viewer } from '../../../sync/bundle.ts';
import type { ClientEvent } from '../../../sync/caches/client-events.ts';
import { ignoredUsersCache } from '../../../sync/caches/ignored-users.ts';
import { eventText, findClientEvent } from '../../../sync/event-text.ts';
import { placeBefore } from '../../../sync/page-token.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { makeVisibilityCheck, type Standing } from '../../../sync/visibility.ts';
import { hasWantedRelations } from '../../../sync/wanted-relations.ts';
import { toTimelineEntry } from './find-visible-event.ts';

/** Events of one answer. */
export const HISTORY_EVENTS_MAX = 500;

/** Events that are looked at for one answer, however few of them the caller may and wants to see. */
export const HISTORY_LOOK_AT_MAX = 2_000;

/** How many events are read at once. */
const HISTORY_PAGE_EVENTS = 100;

/** Which part of a room's history is wanted. */
export interface HistoryRequest {
  readonly standing: Standing;
  readonly direction: 'backward' | 'forward';
  /** Backward the event there is included, forward it is not. */
  readonly from: TopologicalPlace;
  readonly until: TopologicalPlace;
  readonly limit: number;
  readonly filter: RoomEventFilter;
}

/** An event of a history. */
export interface HistoryItem {
  readonly entry: TimelineEntry;
  readonly event: ClientEvent;
  /** The asker's membership at the event. */
  readonly membership: string;
}

/** A part of a room's history, in the direction that was asked for. */
export interface History {
  readonly items: readonly HistoryItem[];
  /** Where it goes on; null at the end of the history. */
  readonly next: TopologicalPlace | null;
}

function placeAfter(entry: TimelineEntry, direction: HistoryRequest['direction']): TopologicalPlace {
  return direction === 'backward'
    ? placeBefore(entry)
    : { depth: entry.depth, streamOrdering: entry.position };
}

/**
 * Reads a part of a room's history: events that the user may see and the filter lets through, messages of ignored users left out.
 * Client-Server API v1.19, "Ignoring Users".
 */
export async function readHistory(services: ReadServices, request: HistoryRequest): Promise<History> {
  const { standing, direction, until, limit, filter } = request;
  const check = makeVisibilityCheck(services, standing);
  const ignored = await services.cached.get(ignoredUsersCache, standing.userId);
  const read = direction === 'backward' ? readTimelineBackward : readTimelineForward;
  const items: HistoryItem[] = [];
  let place = request.from;
  for (let lookedAt = 0; lookedAt < HISTORY_LOOK_AT_MAX; lookedAt += HISTORY_PAGE_EVENTS) {
    const page = await read(services.db, standing.roomId, place, until, HISTORY_PAGE_EVENTS);
    for (const stored of page.events) {
      const entry = toTimelineEntry(stored);
      if (entry === undefined) continue;
      if (items.length === limit) return { items, next: place };
      place = placeAfter(entry, direction);
      const event = await findClientEvent(services, entry.eventId);
      // A purge may have deleted it since it was read.
      if (event === undefined || !matchesRoomEvent(filter, event)) continue;
      if (event.stateKey === null && ignored.has(event.sender)) continue;
      if (!(await hasWantedRelations(services.db, filter, event.eventId))) continue;
      const { isVisible, membership } = await check(entry, event);
      if (isVisible) items.push({ entry, event, membership });
    }
    if (!page.hasMore) return { items, next: null };
  }
  return { items, next: place };
}

/** For whom the events of one room are shown. */
export async function readViewer(
  services: ReadServices,
  caller: SyncCaller,
  standing: Standing,
): Promise<Viewer> {
  const ignored = await services.cached.get(ignoredUsersCache, caller.userId);
  const check = makeVisibilityCheck(services, standing);
  return { caller, standing, check, ignored, includeRoomId: true };
}

/** The texts of events of one room, each with what relates to it. */
export async function historyTexts(
  services: ReadServices,
  viewer: Viewer,
  items: readonly Pick<HistoryItem, 'event' | 'membership'>[],
): Promise<string[]> {
  const bundles = await bundleTexts(
    services,
    viewer,
    items.map(({ event }) => event),
  );
  return Promise.all(
    items.map(({ event, membership }) => {
      const relations = bundles.get(event.eventId);
      const options = { includeRoomId: true, membership, ...(relations !== undefined && { relations }) };
      return eventText(services, viewer.caller, event, options);
    }),
  );
}

/** The texts of the member events of those who sent the events, each as it was then. Client-Server API v1.19, "Lazy-loading room members". */
export async function memberTexts(
  services: ReadServices,
  caller: SyncCaller,
  items: readonly HistoryItem[],
): Promise<string[]> {
  const texts = new Map<string, string>();
  for (const { entry, event } of items) {
    if (texts.has(event.sender) || entry.stateGroup === null) continue;
    const eventId = await findStateOfGroup(services.db, entry.stateGroup, 'm.room.member', event.sender);
    const member = eventId === undefined ? undefined : await findClientEvent(services, eventId);
    if (member !== undefined)
      texts.set(event.sender, await eventText(services, caller, member, { includeRoomId: true }));
  }
  return [...texts.values()];
}
