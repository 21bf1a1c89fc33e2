import { Type } from 'typebox';
import { findEvent } from '../../../../db/rooms/event-reader.ts';
import { USER_SUSPENDED } from '../../../matrix/account-refusals.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Takes the content out of an event. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/redact/{eventId}/{txnId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'message',
  params: Type.Object({ roomId: Type.String(), eventId: Type.String(), txnId: Type.String() }),
  body: Type.Object({ reason: Type.Optional(Type.String()) }),
  reply: Type.Object({ event_id: Type.String() }),
  needs: ['db', 'rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const { roomId, eventId, txnId } = params;
    const { userId: sender, deviceId } = caller;
    // Who is suspended may still take back what was their own.
    if (caller.isSuspended && (await findEvent(services.db, eventId))?.sender !== sender)
      return USER_SUSPENDED;
    const sent = await services.rooms.ask('rooms.redact-event', {
      roomId,
      sender,
      eventId,
      content: body,
      transaction: { deviceId, path: `/rooms/${roomId}/redact/${eventId}`, txnId },
    });
    if (isRefusal(sent)) return sent;
    await services.streams.reached('events', sent.position);
    return { event_id: sent.eventId };
  },
});
