import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { stickinessOf, STICKY_QUERY } from '../rooms/sticky-param.ts';
import { scheduleEvent } from './schedule-event.ts';

/** Has an event sent later. The same transaction again gives the same delay id. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}',
  spec: 'MSC4140, "Scheduling a delayed event"',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'message',
  params: Type.Object({ roomId: Type.String(), eventType: Type.String(), txnId: Type.String() }),
  query: Type.Object({ ...STICKY_QUERY }),
  body: Type.Object({
    delay_ms: Type.Integer({ minimum: 1 }),
    state_key: Type.Optional(Type.String()),
    content: ANY_OBJECT,
  }),
  reply: Type.Object({ delay_id: Type.String() }),
  needs: ['config', 'db', 'delayed-events'],
  handle({ params, query, body, caller, services }) {
    const { roomId, eventType: type, txnId } = params;
    const { delay_ms: delayMs, state_key: stateKey } = body;
    const content = body.content as JsonObject;
    return scheduleEvent(services, {
      caller,
      roomId,
      event: { type, ...(stateKey !== undefined && { stateKey }), content, ...stickinessOf(query) },
      delayMs,
      form: 'endpoint',
      transaction: { path: `/rooms/${roomId}/delayed_event/${type}`, txnId },
    });
  },
});
