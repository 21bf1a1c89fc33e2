import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** An event that is not known here, and that an accepted one follows: where history can be fetched on. */
export interface HistoryGap {
  readonly eventId: string;
  /** Of the deepest of those that follow it. */
  readonly depth: number;
}

/** Ids that one query looks up. */
const LOOKED_UP_AT_ONCE = 5_000;

export const readStoredIdsOf = defineQuery<{ readonly eventIds: string }, { readonly eventId: string }>({
  name: 'rooms.read-stored-ids',
  sql: `
    SELECT wanted.value AS eventId
      FROM json_each(:eventIds) wanted
     WHERE EXISTS (SELECT 1 FROM events WHERE event_id = wanted.value)`,
  scans: ['wanted'],
});

export const readGapsOfRoom = defineQuery<
  { readonly roomNid: number; readonly fromDepth: number; readonly limit: number },
  HistoryGap
>({
  name: 'rooms.read-history-gaps',
  // An event outside of the timeline has no state either: what came before it is not known.
  sql: `
    SELECT f.event_id AS eventId, max(e.depth) AS depth
      FROM followed_events f
      JOIN events e ON e.event_nid = f.follower_nid
      LEFT JOIN events known ON known.event_id = f.event_id
     WHERE f.room_nid = :roomNid AND known.state_group IS NULL AND e.depth <= :fromDepth
     GROUP BY f.event_id
     ORDER BY depth DESC LIMIT :limit`,
});

export const findOldestDepthOfRoom = defineQuery<
  { readonly roomNid: number },
  { readonly depth: number | null }
>({
  name: 'rooms.find-oldest-depth',
  sql: 'SELECT min(depth) AS depth FROM events WHERE room_nid = :roomNid AND stream_ordering IS NOT NULL',
});

/** Those of the events that are stored, in whatever state. */
export async function readStoredIds(db: ReadDb, eventIds: readonly string[]): Promise<ReadonlySet<string>> {
  const stored = new Set<string>();
  for (let start = 0; start < eventIds.length; start += LOOKED_UP_AT_ONCE) {
    const some = JSON.stringify(eventIds.slice(start, start + LOOKED_UP_AT_ONCE));
    for (const { eventId } of await db.all(readStoredIdsOf, { eventIds: some })) stored.add(eventId);
  }
  return stored;
}

/**
 * Where a room's history can be fetched on, the newest first.
 *
 * @param fromDepth only what events of at most this depth follow
 */
export function readHistoryGaps(
  db: ReadDb,
  roomNid: number,
  fromDepth: number,
  limit: number,
): Promise<readonly HistoryGap[]> {
  return db.all(readGapsOfRoom, { roomNid, fromDepth, limit });
}

/** The least depth in a room's timeline; null where it has none. */
export async function findOldestDepth(db: ReadDb, roomNid: number): Promise<number | null> {
  return (await db.get(findOldestDepthOfRoom, { roomNid })).depth;
}
