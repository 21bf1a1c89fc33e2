import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { listText } from '../../../sync/json-text.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findRoomAccess } from './room-access.ts';
import { ANY_OBJECT, ROOM_PARAMS } from './room-params.ts';
import { stateTextsOf } from './state-texts.ts';
import { refuseUnlessWhole } from './whole-room.ts';

/** The whole state of a room: the present one, or that of when the caller left it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/state',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/state'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/state',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  reply: Type.Array(ANY_OBJECT),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, caller, services, aborted }) {
    const { roomId } = params;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    const refused = await refuseUnlessWhole(services, roomId, aborted);
    if (refused !== undefined) return refused;
    return new JsonText(listText(await stateTextsOf(services, caller, roomId, access)));
  },
});
