import { Type } from 'typebox';
import { findCurrentStateEvent } from '../../../../db/rooms/state-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { eventText, findClientEvent } from '../../../sync/event-text.ts';
import { findStateEventAt } from '../../../sync/room-state.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findRoomAccess, type RoomAccess } from './room-access.ts';
import { ANY_OBJECT } from './room-params.ts';
import { refuseUnlessWhole } from './whole-room.ts';

/** The event of an entry of the state that the caller may read. */
async function findEntry(
  services: ReadServices,
  { standing, stateAt }: RoomAccess,
  type: string,
  stateKey: string,
): Promise<string | undefined> {
  const { roomId } = standing;
  if (stateAt !== null) return findStateEventAt(services, roomId, type, stateKey, stateAt);
  return (await findCurrentStateEvent(services.db, roomId, type, stateKey))?.eventId;
}

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
  async handle({ params, query, caller, services, aborted }) {
    const { roomId, eventType, stateKey } = params;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    const find = (): Promise<string | undefined> => findEntry(services, access, eventType, stateKey);
    let eventId = await find();
    if (eventId === undefined && eventType === 'm.room.member') {
      // Of others that are not known it is not known that they are not there.
      const refused = await refuseUnlessWhole(services, roomId, aborted);
      if (refused !== undefined) return refused;
      eventId = await find();
    }
    const event = eventId === undefined ? undefined : await findClientEvent(services, eventId);
    if (event === undefined) return refuse('M_NOT_FOUND', 'The room has no such state.');
    if (query.format !== 'event') return new JsonText(event.contentText);
    return new JsonText(await eventText(services, caller, event, { includeRoomId: true }));
  },
});
