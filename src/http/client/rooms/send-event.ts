import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { DELAY_QUERY, delayOf } from '../delayed-events/delay-param.ts';
import { scheduleEvent } from '../delayed-events/schedule-event.ts';
import { ANY_OBJECT } from './room-params.ts';
import { stickinessOf, STICKY_QUERY } from './sticky-param.ts';

/** Sends a message event, now or later (MSC4140). The same transaction again gives the same event. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/send/{eventType}/{txnId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'message',
  params: Type.Object({ roomId: Type.String(), eventType: Type.String(), txnId: Type.String() }),
  query: Type.Object({ ...STICKY_QUERY, ...DELAY_QUERY }),
  body: ANY_OBJECT,
  reply: Type.Union([Type.Object({ event_id: Type.String() }), Type.Object({ delay_id: Type.String() })]),
  needs: ['config', 'db', 'delayed-events', 'rooms', 'streams'],
  async handle({ params, query, body, caller, services }) {
    const { roomId, eventType, txnId } = params;
    const { userId: sender, deviceId } = caller;
    const event = { type: eventType, content: body as JsonObject, ...stickinessOf(query) };
    const path = `/rooms/${roomId}/send/${eventType}`;
    const delayMs = delayOf(query);
    if (isRefusal(delayMs)) return delayMs;
    if (delayMs !== null)
      return scheduleEvent(services, {
        caller,
        roomId,
        event,
        delayMs,
        form: 'query',
        transaction: { path, txnId },
      });
    const sent = await services.rooms.ask('rooms.send-event', {
      roomId,
      sender,
      event,
      transaction: { deviceId, path, txnId },
      originServerTs: null,
    });
    if (isRefusal(sent)) return sent;
    await services.streams.reached('events', sent.position);
    return { event_id: sent.eventId };
  },
});
