import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { checkGuestAccess } from '../membership/guest-access.ts';
import { ANY_OBJECT } from './room-params.ts';

/** Sets an entry of a room's state; member events among them are held to the rules of the membership endpoints. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey?}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/state/{eventType}/{stateKey?}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'message',
  params: Type.Object({ roomId: Type.String(), eventType: Type.String(), stateKey: Type.String() }),
  body: ANY_OBJECT,
  reply: Type.Object({ event_id: Type.String() }),
  needs: ['db', 'rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const { roomId, eventType: type, stateKey } = params;
    if (caller.isGuest && type === 'm.room.member') {
      const refused = await checkGuestAccess(services.db, roomId);
      if (refused !== undefined) return refused;
    }
    const sent = await services.rooms.ask('rooms.send-event', {
      roomId,
      sender: caller.userId,
      event: { type, stateKey, content: body as JsonObject },
      transaction: null,
      originServerTs: null,
    });
    if (isRefusal(sent)) return sent;
    await services.streams.reached('events', sent.position);
    return { event_id: sent.eventId };
  },
});
