import { openWriteConnection } from '../../../../db/kit/sqlite.ts';

/** Takes the power levels and the create event out of the current state of a room, as no actor would: it allows nothing any more. */
export function breakRoom(path: string, roomNid: number): void {
  const db = openWriteConnection(path);
  db.prepare(
    `DELETE FROM current_state WHERE room_nid = :roomNid AND state_key_nid IN (
       SELECT state_key_nid FROM state_keys WHERE type IN ('m.room.create', 'm.room.power_levels'))`,
  ).run({ roomNid });
  db.close();
}
