import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { checkGuestAccess } from '../membership/guest-access.ts';
import { refuseRejection } from '../membership/notice-rooms.ts';
import { DELAY_QUERY, delayOf } from '../delayed-events/delay-param.ts';
import { scheduleEvent } from '../delayed-events/schedule-event.ts';
import { ANY_OBJECT } from './room-params.ts';

/** Sets an entry of a room's state, now or later (MSC4140); member events among them are held to the rules of the membership endpoints. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey?}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/state/{eventType}/{stateKey?}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'message',
  params: Type.Object({ roomId: Type.String(), eventType: Type.String(), stateKey: Type.String() }),
  query: Type.Object({ ...DELAY_QUERY }),
  body: ANY_OBJECT,
  reply: Type.Union([Type.Object({ event_id: Type.String() }), Type.Object({ delay_id: Type.String() })]),
  needs: ['config', 'db', 'delayed-events', 'rooms', 'streams'],
  async handle({ params, query, body, caller, services }) {
    const { roomId, eventType: type, stateKey } = params;
    const event = { type, stateKey, content: body as JsonObject };
    const delayMs = delayOf(query);
    if (isRefusal(delayMs)) return delayMs;
    if (delayMs !== null)
      return scheduleEvent(services, { caller, roomId, event, delayMs, form: 'query', transaction: null });
    if (caller.isGuest && type === 'm.room.member') {
      const refused = await checkGuestAccess(services.db, roomId);
      if (refused !== undefined) return refused;
    }
    const isOwnLeave =
      type === 'm.room.member' && stateKey === caller.userId && body['membership'] === 'leave';
    const kept = isOwnLeave ? await refuseRejection(services, caller.userId, roomId) : undefined;
    if (kept !== undefined) return kept;
    const sent = await services.rooms.ask('rooms.send-event', {
      roomId,
      sender: caller.userId,
      event,
      transaction: null,
      originServerTs: null,
    });
    if (isRefusal(sent)) return sent;
    await services.streams.reached('events', sent.position);
    return { event_id: sent.eventId };
  },
});
