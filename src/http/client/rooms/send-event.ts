import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from './room-params.ts';

/** Sends a message event. The same transaction again gives the same event. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/send/{eventType}/{txnId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'message',
  params: Type.Object({ roomId: Type.String(), eventType: Type.String(), txnId: Type.String() }),
  body: ANY_OBJECT,
  reply: Type.Object({ event_id: Type.String() }),
  needs: ['rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const { roomId, eventType, txnId } = params;
    const { userId: sender, deviceId } = caller;
    const sent = await services.rooms.ask('rooms.send-event', {
      roomId,
      sender,
      event: { type: eventType, content: body as JsonObject },
      transaction: { deviceId, path: `/rooms/${roomId}/send/${eventType}`, txnId },
      originServerTs: null,
    });
    if (isRefusal(sent)) return sent;
    await services.streams.reached('events', sent.position);
    return { event_id: sent.eventId };
  },
});
