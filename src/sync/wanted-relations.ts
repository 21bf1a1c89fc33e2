import { isRelatedBy } from '../../db/rooms/relation-reader.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import type { RoomEventFilter } from '../matrix/sync-filter.ts';

/**
 * True when a filter lets an event through by what relates to it. One that says nothing of that costs nothing.
 * Client-Server API v1.19, RoomEventFilter, `related_by_senders` and `related_by_rel_types`.
 */
export async function hasWantedRelations(
  db: ReadDb,
  { relatedBySenders, relatedByRelTypes }: RoomEventFilter,
  eventId: string,
): Promise<boolean> {
  if (relatedBySenders === undefined && relatedByRelTypes === undefined) return true;
  return isRelatedBy(db, eventId, {
    senders: relatedBySenders ?? null,
    relTypes: relatedByRelTypes ?? null,
  });
}
