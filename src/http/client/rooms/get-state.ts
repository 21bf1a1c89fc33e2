import { Type } from 'typebox';
import { readCurrentState } from '../../../../db/rooms/state-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { eventText, getClientEvent } from '../../../sync/event-text.ts';
import { listText } from '../../../sync/json-text.ts';
import { readStateAtPosition } from '../../../sync/room-state.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findRoomAccess } from './room-access.ts';
import { ANY_OBJECT, ROOM_PARAMS } from './room-params.ts';

/** The whole state of a room: the present one, or that of when the caller left it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/state',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/state'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/state',
  auth: 'user',
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  reply: Type.Array(ANY_OBJECT),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, caller, services }) {
    const { roomId } = params;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    const entries =
      access.to === null
        ? await readCurrentState(services.db, roomId)
        : await readStateAtPosition(services, roomId, access.to);
    const texts: string[] = [];
    for (const { eventId } of entries) {
      const event = await getClientEvent(services, eventId);
      texts.push(await eventText(services, caller, event, { includeRoomId: true }));
    }
    return new JsonText(listText(texts));
  },
});
