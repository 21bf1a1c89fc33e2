import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT, NOTHING, ROOM_PARAMS } from '../rooms/room-params.ts';

/** Forgets a room that the caller has left: its history is not readable any more. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/forget',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/forget'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/forget',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'membership',
  params: ROOM_PARAMS,
  body: ANY_OBJECT,
  reply: NOTHING,
  needs: ['rooms'],
  async handle({ params, caller, services }) {
    const { roomId } = params;
    const forgotten = await services.rooms.ask('rooms.forget-room', { roomId, userId: caller.userId });
    return isRefusal(forgotten) ? forgotten : {};
  },
});
