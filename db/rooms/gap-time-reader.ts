import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** Events after gaps whose times are looked at. */
const FOLLOWERS_MAX = 200;

export const gapFollowerTimes = defineQuery<
  { readonly roomId: string; readonly limit: number },
  { readonly originServerTs: number }
>({
  name: 'rooms.read-gap-follower-times',
  sql: `
    SELECT e.origin_server_ts AS originServerTs
      FROM rooms r
      JOIN followed_events f ON f.room_nid = r.room_nid
      JOIN events e ON e.event_nid = f.follower_nid AND e.stream_ordering IS NOT NULL
      LEFT JOIN events known ON known.event_id = f.event_id
     WHERE r.room_id = :roomId AND known.state_group IS NULL
     LIMIT :limit`,
});

/** When the events were sent, in milliseconds since the Unix epoch, before which history of the room is missing here. */
export async function readGapFollowerTimes(db: ReadDb, roomId: string): Promise<readonly number[]> {
  const rows = await db.all(gapFollowerTimes, { roomId, limit: FOLLOWERS_MAX });
  return rows.map(({ originServerTs }) => originServerTs);
}
