import { Type } from 'typebox';
import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING, ROOM_PARAMS } from '../rooms/room-params.ts';
import { isInRoom, leaveElsewhere } from './change-elsewhere.ts';
import { changeMembership } from './change-membership.ts';
import { reasonContent } from './member-content.ts';
import { refuseRejection } from './notice-rooms.ts';

/** Leaves a room, rejects an invite, takes back a knock. Who has left already is told that it is done. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/leave',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/leave'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/leave',
  auth: 'user',
  allows: ['guest', 'suspended'],
  rateLimit: 'membership',
  params: ROOM_PARAMS,
  body: Type.Object({ reason: Type.Optional(Type.String()) }),
  reply: NOTHING,
  needs: ['config', 'db', 'remote-rooms', 'rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const { roomId } = params;
    const { userId } = caller;
    const own = await findLocalMembership(services.db, userId, roomId);
    if (own?.membership === 'leave' || own?.membership === 'removed') return {};
    const kept = await refuseRejection(services, userId, roomId);
    if (kept !== undefined) return kept;
    const content = reasonContent(body.reason);
    const isPending = own?.membership === 'invite' || own?.membership === 'knock';
    if (isPending && !(await isInRoom(services.db, roomId)))
      return leaveElsewhere(services, { roomId, userId, content });
    return changeMembership(services, { roomId, sender: userId, target: userId, action: 'leave', content });
  },
});
