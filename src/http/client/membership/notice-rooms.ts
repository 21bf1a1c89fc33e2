import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import { findRoom } from '../../../../db/rooms/room-reader.ts';
import { noticesUserOf } from '../../../config/notices-user.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';

/**
 * Keeps a user from rejecting the invite to the room of server notices: 403 M_CANNOT_LEAVE_SERVER_NOTICE_ROOM. Who has been in it may leave.
 * Client-Server API v1.19, "Server Notices".
 */
export async function refuseRejection(
  { config, db }: Pick<Services, 'config' | 'db'>,
  userId: string,
  roomId: string,
): Promise<Refusal | undefined> {
  const noticesUserId = noticesUserOf(config);
  if (noticesUserId === null || userId === noticesUserId) return undefined;
  const own = await findLocalMembership(db, userId, roomId);
  if (own?.membership !== 'invite' || own.sender !== noticesUserId) return undefined;
  if ((await findRoom(db, roomId))?.creator !== noticesUserId) return undefined;
  return refuse('M_CANNOT_LEAVE_SERVER_NOTICE_ROOM', 'You cannot reject this invite.');
}
