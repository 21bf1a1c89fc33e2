import { readTimelineEntries, type TimelineEntry } from '../../db/rooms/sync-reader.ts';
import type { ClientEvent } from './caches/client-events.ts';
import { eventText, getClientEvent } from './event-text.ts';
import { selectFieldsOfText } from './filtering.ts';
import { formatPlace, placeBefore } from './page-token.ts';
import type { SyncContext } from './sync-context.ts';
import type { EventVisibility } from './visibility.ts';

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
  /** The filter's say. */
  accepts(event: ClientEvent): boolean;
  /** Null: the caller was in the room all the time. */
  readonly visibility: ((entry: TimelineEntry, event: ClientEvent) => Promise<EventVisibility>) | null;
}

/** Events that are looked at for one timeline, however few of them the filter lets through. */
export const TIMELINE_LOOK_AT_MAX = 1_000;

const ALWAYS_JOINED: EventVisibility = { isVisible: true, membership: 'join' };

/** True when a message is from somebody whom the caller ignores; state is sent all the same. */
function isIgnored(context: SyncContext, event: ClientEvent): boolean {
  return event.stateKey === null && context.ignored.has(event.sender);
}

/**
 * Loads the newest events of a range, newest first, until `limit` of them are found or {@link TIMELINE_LOOK_AT_MAX} were looked at.
 * Client-Server API v1.19, "Syncing".
 */
export async function loadTimeline(context: SyncContext, request: TimelineRequest): Promise<Timeline> {
  const { roomId, from, limit } = request;
  const items: TimelineItem[] = [];
  const lookedAt = new Set<string>();
  let cursor = request.to;
  while (lookedAt.size < TIMELINE_LOOK_AT_MAX) {
    const size = Math.min(Math.max(limit - items.length, 0) + 1, TIMELINE_LOOK_AT_MAX - lookedAt.size);
    const entries = await readTimelineEntries(context.services.db, roomId, from, cursor, size);
    for (const entry of entries) {
      const event = await getClientEvent(context.services, entry.eventId);
      cursor = entry.position - 1;
      const isWanted = request.accepts(event) && !isIgnored(context, event);
      const seen = isWanted ? await (request.visibility?.(entry, event) ?? ALWAYS_JOINED) : null;
      if (seen?.isVisible === true) {
        if (items.length === limit) return timelineOf(items, true, lookedAt);
        items.push({ entry, event, membership: seen.membership });
      }
      lookedAt.add(entry.eventId);
    }
    if (entries.length < size) return timelineOf(items, false, lookedAt);
  }
  return timelineOf(items, true, lookedAt);
}

function timelineOf(
  newestFirst: readonly TimelineItem[],
  isLimited: boolean,
  lookedAt: ReadonlySet<string>,
): Timeline {
  return {
    items: newestFirst.toReversed(),
    isLimited,
    isWhole: !isLimited && lookedAt.size === newestFirst.length,
    wasLookedAt: (eventId) => lookedAt.has(eventId),
  };
}

/** The section `timeline` of a room. `emptyToken` is the `prev_batch` of a timeline without events. */
export async function timelineText(
  context: SyncContext,
  timeline: Timeline,
  emptyToken: string,
): Promise<string> {
  const { services, caller, filter } = context;
  const texts = await Promise.all(
    timeline.items.map(async ({ event, membership }) =>
      selectFieldsOfText(filter, await eventText(services, caller, event, { membership })),
    ),
  );
  const first = timeline.items[0];
  const previous = first === undefined ? emptyToken : formatPlace(placeBefore(first.entry));
  return `{"events":[${texts.join(',')}],"limited":${timeline.isLimited},"prev_batch":${JSON.stringify(previous)}}`;
}
