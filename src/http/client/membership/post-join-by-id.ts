import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT, ROOM_PARAMS } from '../rooms/room-params.ts';
import { enterRoom } from './enter-room.ts';
import { checkGuestAccess } from './guest-access.ts';

/** Joins a room that is named by its id. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/join',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/join'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/join',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'membership',
  params: ROOM_PARAMS,
  body: Type.Object({ reason: Type.Optional(Type.String()), third_party_signed: Type.Optional(ANY_OBJECT) }),
  reply: Type.Object({ room_id: Type.String() }),
  needs: ['config', 'db', 'remote-rooms', 'rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const refused = caller.isGuest ? await checkGuestAccess(services.db, params.roomId) : undefined;
    if (refused !== undefined) return refused;
    const { userId } = caller;
    const { reason } = body;
    return enterRoom(services, { userId, roomId: params.roomId, action: 'join', reason, via: [] });
  },
});
