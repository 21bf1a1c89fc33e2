import type { JsonObject } from '../kit/json.ts';
import { selectPaths } from './dotted-path.ts';
import type { DottedPath } from './dotted-path.ts';
import { relationOf } from './events/relation.ts';
import type { StarPattern } from './star-pattern.ts';

/** How many events of a timeline a client gets that does not say. */
export const TIMELINE_LIMIT_DEFAULT = 10;
/** The most events that one answer has, whatever the filter says. */
export const FILTER_LIMIT_MAX = 1_000;

/** Which events of any kind a client wants; undefined where the filter says nothing. Client-Server API v1.19, EventFilter. */
export interface EventFilter {
  /** At most {@link FILTER_LIMIT_MAX}. */
  readonly limit: number | undefined;
  readonly senders: ReadonlySet<string> | undefined;
  readonly notSenders: ReadonlySet<string>;
  readonly types: readonly StarPattern[] | undefined;
  readonly notTypes: readonly StarPattern[];
}

/** Which events of rooms a client wants. Client-Server API v1.19, RoomEventFilter. */
export interface RoomEventFilter extends EventFilter {
  readonly rooms: ReadonlySet<string> | undefined;
  readonly notRooms: ReadonlySet<string>;
  /** True: only events with `content.url`; false: only without. */
  readonly containsUrl: boolean | undefined;
  readonly lazyLoadMembers: boolean;
  readonly includeRedundantMembers: boolean;
  readonly unreadThreadNotifications: boolean;
  /** Only events that one of these users has sent an event about, with one of these relation types. Whoever filters asks the database. */
  readonly relatedBySenders: readonly string[] | undefined;
  readonly relatedByRelTypes: readonly string[] | undefined;
  /** Of the event itself; an empty text stands for an event that relates to nothing. MSC3874. */
  readonly relTypes: ReadonlySet<string> | undefined;
  readonly notRelTypes: ReadonlySet<string>;
}

/** Which rooms, and what of them. Client-Server API v1.19, RoomFilter. */
export interface RoomFilter {
  readonly rooms: ReadonlySet<string> | undefined;
  readonly notRooms: ReadonlySet<string>;
  /** Rooms that the user has left are wanted too. */
  readonly includeLeave: boolean;
  readonly state: RoomEventFilter;
  readonly timeline: RoomEventFilter;
  readonly ephemeral: RoomEventFilter;
  readonly accountData: RoomEventFilter;
}

/** A filter, ready for matching. Client-Server API v1.19, "Filtering". */
export interface SyncFilter {
  readonly eventFields: readonly DottedPath[] | undefined;
  readonly eventFormat: 'client' | 'federation';
  readonly presence: EventFilter;
  readonly accountData: EventFilter;
  readonly room: RoomFilter;
}

/** True when a filter lets an event through by its type and sender. Exclusions win. */
export function matchesEvent(
  filter: EventFilter,
  event: { readonly type: string; readonly sender: string },
): boolean {
  return matchesSender(filter, event.sender) && matchesType(filter, event.type);
}

/** As {@link matchesEvent} for what has no sender: account data, receipts, typing. */
export function matchesType(filter: EventFilter, type: string): boolean {
  if (filter.notTypes.some((pattern) => pattern(type))) return false;
  return filter.types === undefined || filter.types.some((pattern) => pattern(type));
}

function matchesSender(filter: EventFilter, sender: string): boolean {
  if (filter.notSenders.has(sender)) return false;
  return filter.senders === undefined || filter.senders.has(sender);
}

/** True when a filter lets an event of a room through, as far as the event itself says. */
export function matchesRoomEvent(
  filter: RoomEventFilter,
  event: {
    readonly roomId: string;
    readonly type: string;
    readonly sender: string;
    readonly content: JsonObject;
  },
): boolean {
  if (!matchesRoom(filter, event.roomId) || !matchesEvent(filter, event)) return false;
  if (filter.containsUrl !== undefined && filter.containsUrl !== Object.hasOwn(event.content, 'url'))
    return false;
  return matchesRelType(filter, event.content);
}

function matchesRelType({ relTypes, notRelTypes }: RoomEventFilter, content: JsonObject): boolean {
  if (relTypes === undefined && notRelTypes.size === 0) return true;
  const relType = relationOf(content)?.relType ?? '';
  return !notRelTypes.has(relType) && (relTypes === undefined || relTypes.has(relType));
}

/** True when a filter lets a room through. */
export function matchesRoom(
  filter: { readonly rooms: ReadonlySet<string> | undefined; readonly notRooms: ReadonlySet<string> },
  roomId: string,
): boolean {
  if (filter.notRooms.has(roomId)) return false;
  return filter.rooms === undefined || filter.rooms.has(roomId);
}

/** True when no event can pass a filter, so that nothing needs to be read for it. */
export function matchesNothing(filter: EventFilter): boolean {
  return filter.types?.length === 0 || filter.senders?.size === 0;
}

/** How many events of a timeline a filter wants, from 0 to {@link FILTER_LIMIT_MAX}. */
export function timelineLimit(filter: SyncFilter): number {
  return filter.room.timeline.limit ?? TIMELINE_LIMIT_DEFAULT;
}

/** An event with only the fields that a filter names; all of them when it names none. */
export function selectEventFields(filter: SyncFilter, event: JsonObject): JsonObject {
  return filter.eventFields === undefined ? event : selectPaths(event, filter.eventFields);
}
