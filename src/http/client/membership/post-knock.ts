import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { enterRoom } from './enter-room.ts';
import { findRoomId } from './find-room-id.ts';

/** Asks to be let into a room. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/knock/{roomIdOrAlias}',
  aliases: ['/_matrix/client/r0/knock/{roomIdOrAlias}'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/knock/{roomIdOrAlias}',
  auth: 'user',
  rateLimit: 'membership',
  params: Type.Object({ roomIdOrAlias: Type.String() }),
  body: Type.Object({ reason: Type.Optional(Type.String()) }),
  reply: Type.Object({ room_id: Type.String() }),
  needs: ['config', 'db', 'rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const room = await findRoomId(services.db, params.roomIdOrAlias);
    if (isRefusal(room)) return room;
    return enterRoom(services, caller.userId, room.roomId, 'knock', body.reason);
  },
});
