import type { TimelineEntry } from '../../db/rooms/sync-reader.ts';
import { bundleTexts } from './bundle.ts';
import type { ClientEvent } from './caches/client-events.ts';
import { findClientEvent } from './event-text.ts';
import { hasWantedRelations } from './wanted-relations.ts';
import { formatPlace, placeBefore } from './page-token.ts';
import { readRecentEntries } from './recent-events.ts';
import { shownEventText } from './shown-event.ts';
import type { SyncContext } from './sync-context.ts';
import { makeVisibilityCheck, type Standing } from './visibility.ts';

/** An event of the answer's timeline. */
export interface TimelineItem {
  readonly entry: TimelineEntry;
  readonly event: ClientEvent;
  /** The caller's membership at the event; null when it is not known. */
  readonly membership: string | null;
}

/** The newest events of a room within a range, as far as they fit. */
export interface Timeline {
  /** Oldest first. */
  readonly items: readonly TimelineItem[];
  /** There are earlier events in the range that the caller may see and the filter lets through. */
  readonly isLimited: boolean;
  /** Every event of the range is in `items`. */
  readonly isWhole: boolean;
  /** How the caller stands to the room; absent when nothing was looked at. */
  readonly standing?: Standing;
  /** The event with the id was looked at, whether it is in `items` or not. */
  wasLookedAt(eventId: string): boolean;
}

/** What to load. */
export interface TimelineRequest {
  readonly roomId: string;
  /** Exclusive; `to` inclusive. */
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  /** The filter lets nothing of the room through. */
  readonly acceptsNothing: boolean;
  /** The filter's say. */
  accepts(event: ClientEvent): boolean;
  /** How the caller stands to the room, by which it is decided what they may see. */
  readonly standing: Standing;
}

/** Events that are looked at for one timeline, however few of them the filter lets through. */
export const TIMELINE_LOOK_AT_MAX = 1_000;

/** True when a message is from somebody whom the caller ignores; state is sent all the same. */
function isIgnored(context: SyncContext, event: ClientEvent): boolean {
  return event.stateKey === null && context.ignored.has(event.sender);
}

async function isRelatedAsWanted({ services, filter }: SyncContext, event: ClientEvent): Promise<boolean> {
  return hasWantedRelations(services.db, filter.room.timeline, event.eventId);
}

/**
 * Loads the newest events of a range, newest first, until `limit` of them are found or {@link TIMELINE_LOOK_AT_MAX} were looked at.
 * Client-Server API v1.19, "Syncing".
 */
export async function loadTimeline(context: SyncContext, request: TimelineRequest): Promise<Timeline> {
  const { roomId, from, limit, standing } = request;
  if (request.acceptsNothing)
    return { standing, items: [], isLimited: false, isWhole: false, wasLookedAt: () => false };
  const check = makeVisibilityCheck(context.services, standing);
  const items: TimelineItem[] = [];
  const lookedAt = new Set<string>();
  let cursor = request.to;
  while (lookedAt.size < TIMELINE_LOOK_AT_MAX) {
    // Where the filter lets little through, each page is larger than the one before.
    const wanted = Math.max(limit + 1 - items.length, lookedAt.size);
    const size = Math.min(wanted, TIMELINE_LOOK_AT_MAX - lookedAt.size);
    const entries = await readRecentEntries(context.services, roomId, from, cursor, size);
    for (const entry of entries) {
      const event = await findClientEvent(context.services, entry.eventId);
      cursor = entry.position - 1;
      const isWanted = event !== undefined && request.accepts(event) && !isIgnored(context, event);
      const isMeant = isWanted && (await isRelatedAsWanted(context, event));
      const seen = isMeant ? await check(entry, event) : null;
      if (isWanted && seen?.isVisible === true) {
        if (items.length === limit) return timelineOf(items, true, lookedAt, standing);
        items.push({ entry, event, membership: seen.membership });
      }
      lookedAt.add(entry.eventId);
    }
    if (entries.length < size) return timelineOf(items, false, lookedAt, standing);
  }
  return timelineOf(items, true, lookedAt, standing);
}

function timelineOf(
  newestFirst: readonly TimelineItem[],
  isLimited: boolean,
  lookedAt: ReadonlySet<string>,
  standing: Standing,
): Timeline {
  return {
    standing,
    items: newestFirst.toReversed(),
    isLimited,
    isWhole: !isLimited && lookedAt.size === newestFirst.length,
    wasLookedAt: (eventId) => lookedAt.has(eventId),
  };
}

/** A client that has everything since its last sync sums up itself. Client-Server API v1.19, "Aggregations of child events". */
async function bundlesOf(
  { services, caller, ignored }: SyncContext,
  { items, isLimited, standing }: Timeline,
): Promise<ReadonlyMap<string, string>> {
  if (!isLimited || standing === undefined) return new Map();
  const check = makeVisibilityCheck(services, standing);
  const viewer = { caller, standing, check, ignored, includeRoomId: false };
  return bundleTexts(
    services,
    viewer,
    items.map(({ event }) => event),
  );
}

/** The section `timeline` of a room. `emptyToken` is the `prev_batch` of a timeline without events. */
export async function timelineText(
  context: SyncContext,
  timeline: Timeline,
  emptyToken: string,
): Promise<string> {
  const bundles = await bundlesOf(context, timeline);
  const texts = await Promise.all(
    timeline.items.map(async ({ event, membership }) => {
      const relations = bundles.get(event.eventId);
      const options = { membership, ...(relations !== undefined && { relations }) };
      return shownEventText(context, event, options);
    }),
  );
  const first = timeline.items[0];
  const previous = first === undefined ? emptyToken : formatPlace(placeBefore(first.entry));
  return `{"events":[${texts.filter((text) => text !== undefined).join(',')}],"limited":${timeline.isLimited},"prev_batch":${JSON.stringify(previous)}}`;
}
