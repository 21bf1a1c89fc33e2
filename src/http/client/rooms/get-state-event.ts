import { Type } from 'typebox';
import { findCurrentStateEvent } from '../../../../db/rooms/state-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { eventText, findClientEvent } from '../../../sync/event-text.ts';
import { findStateEventAt } from '../../../sync/room-state.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findRoomAccess } from './room-access.ts';
import { ANY_OBJECT } from './room-params.ts';

/** One entry of a room's state: its content, or the whole event with `format=event`. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey?}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/state/{eventType}/{stateKey?}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: Type.Object({ roomId: Type.String(), eventType: Type.String(), stateKey: Type.String() }),
  query: Type.Object({ format: Type.Optional(Type.Union([Type.Literal('content'), Type.Literal('event')])) }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, query, caller, services }) {
    const { roomId, eventType, stateKey } = params;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    const eventId =
      access.stateAt === null
        ? (await findCurrentStateEvent(services.db, roomId, eventType, stateKey))?.eventId
        : await findStateEventAt(services, roomId, eventType, stateKey, access.stateAt);
    const event = eventId === undefined ? undefined : await findClientEvent(services, eventId);
    if (event === undefined) return refuse('M_NOT_FOUND', 'The room has no such state.');
    if (query.format !== 'event') return new JsonText(event.contentText);
    return new JsonText(await eventText(services, caller, event, { includeRoomId: true }));
  },
});
