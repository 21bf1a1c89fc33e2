import { readPurgedUpTo } from '../../db/rooms/purge-reader.ts';
import { readTimelineEntries } from '../../db/rooms/sync-reader.ts';
import { findPurgedUpTo } from './recent-events.ts';
import type { ReadServices } from './sync-services.ts';

/**
 * True when events were deleted that came after a position: what a client has up to there does not lead to what is left, so that it is given
 * a gap and all of the state.
 *
 * @param from a position of the events stream
 */
export async function hasPurgedGap(services: ReadServices, roomId: string, from: number): Promise<boolean> {
  const upTo = await findPurgedUpTo(services, roomId, from);
  return upTo !== null && from < upTo;
}

/** True when events were deleted between a position and the last event that is left before it: the state of that event is too old. */
export async function isStateBeforePurged(
  services: ReadServices,
  roomId: string,
  position: number,
): Promise<boolean> {
  const upTo = await readPurgedUpTo(services.db, roomId);
  if (upTo === null) return false;
  if (position < upTo) return true;
  return (await readTimelineEntries(services.db, roomId, upTo, position, 1)).length === 0;
}
