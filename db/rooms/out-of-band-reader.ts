import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

export const readAcceptedIdsOf = defineQuery<
  { readonly roomNid: number; readonly eventIds: string },
  { readonly eventId: string }
>({
  name: 'rooms.read-accepted-ids',
  sql: `
    SELECT e.event_id AS eventId
      FROM json_each(:eventIds) wanted CROSS JOIN events e ON e.event_id = wanted.value
     WHERE e.room_nid = :roomNid AND coalesce(substr(e.rejection, 1, 8), '') <> 'rejected'`,
  scans: ['wanted'],
});

/** Those of the events that are stored, of the room, and were not rejected; an event that soft-failed was not. */
export async function readAcceptedIds(
  db: ReadDb,
  roomNid: number,
  eventIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (eventIds.length === 0) return new Set();
  const rows = await db.all(readAcceptedIdsOf, { roomNid, eventIds: JSON.stringify(eventIds) });
  return new Set(rows.map((row) => row.eventId));
}
