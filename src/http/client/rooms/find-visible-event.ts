import { findEvent, type StoredEvent } from '../../../../db/rooms/event-reader.ts';
import type { TimelineEntry } from '../../../../db/rooms/sync-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import type { ClientEvent } from '../../../sync/caches/client-events.ts';
import { getClientEvent } from '../../../sync/event-text.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { makeVisibilityCheck } from '../../../sync/visibility.ts';
import { findRoomAccess } from './room-access.ts';

/** An event that a user may see. */
export interface VisibleEvent {
  readonly stored: StoredEvent;
  readonly event: ClientEvent;
  /** The user's membership at the event. */
  readonly membership: string;
}

/** A stored event as an entry of its room's timeline; undefined for one that is not in it. */
export function toTimelineEntry(stored: StoredEvent): TimelineEntry | undefined {
  const { eventId, streamOrdering, depth, stateGroup, type, stateKey, rejection } = stored;
  if (streamOrdering === null || rejection !== null) return undefined;
  const stateType = stateKey === null ? null : type;
  return { eventId, position: streamOrdering, depth, stateGroup, stateType, stateKey };
}

/**
 * An event of a room's timeline, if the user may see it by the history visibility at the event.
 *
 * @returns undefined when there is no such event, or the user may not see it: which of the two is nobody's business
 */
export async function findVisibleEvent(
  services: ReadServices,
  userId: string,
  roomId: string,
  eventId: string,
): Promise<VisibleEvent | undefined> {
  const stored = await findEvent(services.db, eventId);
  const entry = stored?.roomId === roomId ? toTimelineEntry(stored) : undefined;
  if (stored === undefined || entry === undefined) return undefined;
  const access = await findRoomAccess(services, userId, roomId);
  if (isRefusal(access)) return undefined;
  const event = await getClientEvent(services, eventId);
  const seen = await makeVisibilityCheck(services, access.standing)(entry, event);
  return seen.isVisible ? { stored, event, membership: seen.membership } : undefined;
}
