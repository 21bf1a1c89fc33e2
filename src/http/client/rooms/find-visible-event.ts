import { findEvent, type StoredEvent } from '../../../../db/rooms/event-reader.ts';
import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import type { TimelineEntry } from '../../../../db/rooms/sync-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import type { ClientEvent } from '../../../sync/caches/client-events.ts';
import { findClientEvent } from '../../../sync/event-text.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { makeVisibilityCheck, readStanding, type Standing } from '../../../sync/visibility.ts';
import { findRoomAccess } from './room-access.ts';

const NOW = Number.MAX_SAFE_INTEGER;

/** An event that a user may see. */
export interface VisibleEvent {
  readonly stored: StoredEvent;
  readonly entry: TimelineEntry;
  readonly event: ClientEvent;
  /** The user's membership at the event. */
  readonly membership: string;
  /** How the user stands to the room now. */
  readonly standing: Standing;
}

/** A stored event as an entry of its room's timeline; undefined for one that is not in it. */
export function toTimelineEntry(stored: StoredEvent): TimelineEntry | undefined {
  const { eventId, streamOrdering, depth, stateGroup, type, stateKey, rejection } = stored;
  if (streamOrdering === null || rejection !== null) return undefined;
  const stateType = stateKey === null ? null : type;
  return { eventId, position: streamOrdering, depth, stateGroup, stateType, stateKey };
}

/**
 * An event of a room's timeline, if the user may see it by the history visibility at the event: whoever was invited then, say, or anybody
 * while the room was world-readable, whatever the room is like now. Only who has forgotten the room gets nothing of it any more, but what
 * everybody gets.
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
  const own = await findLocalMembership(services.db, userId, roomId);
  if (own?.isForgotten === true && isRefusal(await findRoomAccess(services, userId, roomId)))
    return undefined;
  const standing = await readStanding(services, userId, roomId, NOW);
  const event = await findClientEvent(services, eventId);
  if (event === undefined) return undefined;
  const seen = await makeVisibilityCheck(services, standing)(entry, event);
  return seen.isVisible ? { stored, entry, event, membership: seen.membership, standing } : undefined;
}
