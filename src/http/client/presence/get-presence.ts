import { Type } from 'typebox';
import { findAccount } from '../../../../db/accounts/reader.ts';
import { readRoomsOfUser, readUsersThatShareRooms } from '../../../../db/rooms/sync-reader.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { presenceStream } from '../../../streams/presence-stream.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

async function shareRoom(db: ReadDb, callerId: string, userId: string): Promise<boolean> {
  if (callerId === userId) return true;
  const rooms = (await readRoomsOfUser(db, callerId)).filter((room) => room.membership === 'join');
  const sharing = await readUsersThatShareRooms(
    db,
    [userId],
    rooms.map((room) => room.roomId),
  );
  return sharing.has(userId);
}

/** Whether a user that shares a room with the caller is there. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/presence/{userId}/status',
  aliases: ['/_matrix/client/r0/presence/{userId}/status'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/presence/{userId}/status',
  auth: 'user',
  rateLimit: 'reading',
  params: Type.Object({ userId: Type.String() }),
  reply: Type.Object({
    presence: Type.String(),
    last_active_ago: Type.Optional(Type.Integer()),
    currently_active: Type.Optional(Type.Boolean()),
    status_msg: Type.Optional(Type.String()),
  }),
  needs: ['db', 'streams', 'clock'],
  async handle({ params, caller, services }) {
    const { userId } = params;
    if (!(await shareRoom(services.db, caller.userId, userId)))
      return refuse('M_FORBIDDEN', 'You do not share a room with this user.');
    const found = services.streams.memoryRows(presenceStream, 0).find(({ row }) => row.userId === userId);
    if (found !== undefined) {
      const { presence, lastActiveTs, isCurrentlyActive, statusMessage } = found.row;
      return {
        presence,
        last_active_ago: Math.max(0, services.clock.now() - lastActiveTs),
        currently_active: isCurrentlyActive,
        ...(statusMessage === null ? {} : { status_msg: statusMessage }),
      };
    }
    const isKnown = userId !== caller.userId || (await findAccount(services.db, userId)) !== undefined;
    return isKnown ? { presence: 'offline' } : refuse('M_NOT_FOUND', 'There is no presence of this user.');
  },
});
