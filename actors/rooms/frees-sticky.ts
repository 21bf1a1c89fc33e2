import type { ReadDb } from '../../db/kit/read-db.ts';
import { readHiddenSticky } from '../../db/rooms/sticky-reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';

/** State that decides who may send messages. */
const DECIDING_TYPES: ReadonlySet<string> = new Set(['m.room.member', 'm.room.power_levels']);

/**
 * True when a write has changed who may send in a room, and a living sticky event that was not allowed waits for that. The others pay nothing,
 * and those that change it one look into an index that is nearly always empty. MSC4354, "Re-evaluate soft-failure".
 *
 * @param rows what the write has told
 * @param now in milliseconds since the Unix epoch
 */
export async function mayFreeSticky(
  db: ReadDb,
  roomId: string,
  rows: readonly (EventsRow | null)[],
  now: number,
): Promise<boolean> {
  const isDeciding = rows.some(
    (row) => row !== null && row.kind !== 'room' && row.stateKey !== null && DECIDING_TYPES.has(row.type),
  );
  if (!isDeciding) return false;
  return (await readHiddenSticky(db, { roomId, after: 0, now, limit: 1 })).length > 0;
}
