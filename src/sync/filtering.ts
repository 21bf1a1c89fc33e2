import {
  matchesNothing,
  matchesRoom,
  matchesRoomEvent,
  matchesType,
  type RoomEventFilter,
  selectEventFields,
  type SyncFilter,
  timelineLimit,
} from '../matrix/sync-filter.ts';
import type { JsonObject } from '../kit/json.ts';
import type { ClientEvent } from './caches/client-events.ts';

/** Events of a timeline in one answer, whatever the filter asks for. */
export const TIMELINE_EVENTS_MAX = 200;

/** How many events of each timeline the client wants. */
export function timelineLimitOf(filter: SyncFilter): number {
  return Math.min(timelineLimit(filter), TIMELINE_EVENTS_MAX);
}

/** True when the filter lets an event into timelines. */
export function acceptsTimeline(filter: SyncFilter, event: ClientEvent): boolean {
  return matchesRoomEvent(filter.room.timeline, event);
}

/** True when the filter lets no event of a room into its timeline, so that none need be looked at. */
export function acceptsNoTimeline(filter: SyncFilter, roomId: string): boolean {
  const { timeline } = filter.room;
  return matchesNothing(timeline) || !matchesRoom(timeline, roomId);
}

/** True when the filter lets an event into the state of rooms. */
export function acceptsState(filter: SyncFilter, event: ClientEvent): boolean {
  return matchesRoomEvent(filter.room.state, event);
}

function acceptsTypeInRoom(filter: RoomEventFilter, roomId: string, type: string): boolean {
  return matchesRoom(filter, roomId) && matchesType(filter, type);
}

/** True when the filter lets typing or receipts of a room through. */
export function acceptsEphemeral(
  filter: SyncFilter,
  roomId: string,
  type: 'm.typing' | 'm.receipt',
): boolean {
  return acceptsTypeInRoom(filter.room.ephemeral, roomId, type);
}

/** True when the filter lets account data of a room through. */
export function acceptsRoomAccountData(filter: SyncFilter, roomId: string, type: string): boolean {
  return acceptsTypeInRoom(filter.room.accountData, roomId, type);
}

/** Whether members come only when they are needed, and whether they come again. */
export function lazyLoadingOf(filter: SyncFilter): {
  readonly isLazy: boolean;
  readonly includesRedundant: boolean;
} {
  const { lazyLoadMembers, includeRedundantMembers } = filter.room.state;
  return {
    isLazy: lazyLoadMembers || filter.room.timeline.lazyLoadMembers,
    includesRedundant: includeRedundantMembers || filter.room.timeline.includeRedundantMembers,
  };
}

/** The text of an event with only the fields that the filter names. */
export function selectFieldsOfText(filter: SyncFilter, text: string): string {
  if (filter.eventFields === undefined) return text;
  return JSON.stringify(selectEventFields(filter, JSON.parse(text) as JsonObject));
}
