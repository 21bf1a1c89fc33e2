import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

const ROOM_NID = '(SELECT room_nid FROM rooms WHERE room_id = :roomId)';
const IS_PARTIAL = `EXISTS (SELECT 1 FROM partial_rooms WHERE room_nid = ${ROOM_NID})`;
const IS_IN_ROOM = `EXISTS (SELECT 1 FROM forward_extremities WHERE room_nid = ${ROOM_NID})`;

export const countDifferingMemberships = defineQuery<
  { readonly roomId: string; readonly serverName: string },
  { readonly differing: number }
>({
  name: 'rooms.count-differing-memberships',
  // Who was invited out of band, and said no, has a leave that the room never had. While a room's state lacks members it says nothing of them.
  sql: `
    SELECT (SELECT count(*)
              FROM local_memberships m
              JOIN user_ids u ON u.user_nid = m.user_nid
              LEFT JOIN state_keys k ON k.type = 'm.room.member' AND k.state_key = u.user_id
              LEFT JOIN current_state c ON c.room_nid = m.room_nid AND c.state_key_nid = k.state_key_nid
             WHERE m.room_nid = ${ROOM_NID}
               AND CASE WHEN NOT ${IS_IN_ROOM} THEN m.membership = 'join'
                        WHEN c.event_nid IS NULL THEN m.membership NOT IN ('removed', 'leave') AND NOT ${IS_PARTIAL}
                        ELSE c.event_nid <> m.event_nid OR c.membership <> m.membership END)
         + (SELECT count(*)
              FROM current_state c
              JOIN state_keys k ON k.state_key_nid = c.state_key_nid
              LEFT JOIN user_ids u ON u.user_id = k.state_key
              LEFT JOIN local_memberships m ON m.user_nid = u.user_nid AND m.room_nid = c.room_nid
             WHERE c.room_nid = ${ROOM_NID} AND c.membership IS NOT NULL AND m.user_nid IS NULL
               AND substr(k.state_key, instr(k.state_key, ':') + 1) = :serverName) AS differing`,
});

/**
 * In how many places the memberships of local users are not what the room's current state says: 0 unless something is broken. Of a room
 * that this server is not in: how many are joined all the same. Costs the members of the room.
 */
export async function countInconsistentMemberships(
  db: ReadDb,
  roomId: string,
  serverName: string,
): Promise<number> {
  return (await db.get(countDifferingMemberships, { roomId, serverName })).differing;
}
