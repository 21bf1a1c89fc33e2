import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A room in which the server speaks to one of its users. */
export interface NoticeRoom {
  readonly roomId: string;
  /** The user's. */
  readonly membership: string;
}

export const findNewestNoticeRoom = defineQuery<
  { readonly userId: string; readonly noticesUserId: string },
  NoticeRoom
>({
  name: 'rooms.find-notice-room',
  sql: `
    SELECT r.room_id AS roomId, m.membership
      FROM user_ids u
      CROSS JOIN local_memberships m ON m.user_nid = u.user_nid
      JOIN rooms r ON r.room_nid = m.room_nid AND r.creator = :noticesUserId
      JOIN user_ids n ON n.user_id = :noticesUserId
      JOIN local_memberships s ON s.user_nid = n.user_nid AND s.room_nid = m.room_nid AND s.membership = 'join'
     WHERE u.user_id = :userId AND m.membership IN ('join', 'invite', 'leave')
     ORDER BY m.position DESC LIMIT 1`,
});

/** The room in which a user finds the notices of the server, though the user may have left it; undefined when there is none yet. */
export function findNoticeRoom(
  db: ReadDb,
  userId: string,
  noticesUserId: string,
): Promise<NoticeRoom | undefined> {
  return db.find(findNewestNoticeRoom, { userId, noticesUserId });
}
