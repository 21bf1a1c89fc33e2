import { Type } from 'typebox';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { findRoomVersion } from '../../../matrix/rooms/room-versions.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ROOM_PARAMS } from './room-params.ts';
import { refuseUnlessWhole } from './whole-room.ts';

/** Additional creators in one request: each takes room in the create event, which is not larger than any other. */
const ADDITIONAL_CREATORS_MAX = 100;

/** Replaces a room by one of another version. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/upgrade',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/upgrade'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/upgrade',
  auth: 'user',
  rateLimit: 'membership',
  params: ROOM_PARAMS,
  body: Type.Object({
    new_version: Type.String(),
    additional_creators: Type.Optional(Type.Array(Type.String(), { maxItems: ADDITIONAL_CREATORS_MAX })),
  }),
  reply: Type.Object({ replacement_room: Type.String() }),
  needs: ['cached', 'clock', 'rooms', 'streams'],
  async handle({ params, body, caller, services, aborted }) {
    const { new_version: roomVersion, additional_creators: given = [] } = body;
    const isHeeded = findRoomVersion(roomVersion)?.creatorsArePrivileged === true;
    const wrong = isHeeded ? given.find((userId) => parseUserId(userId) === undefined) : undefined;
    if (wrong !== undefined)
      return refuse('M_INVALID_PARAM', `additional_creators: ${wrong} is not a user id`);
    // Who is banned goes into the new room as well.
    const refused = await refuseUnlessWhole(services, params.roomId, aborted);
    if (refused !== undefined) return refused;
    const upgraded = await services.rooms.ask('rooms.upgrade-room', {
      roomId: params.roomId,
      sender: caller.userId,
      roomVersion,
      additionalCreators: isHeeded ? given : [],
    });
    if (isRefusal(upgraded)) return upgraded;
    await services.streams.reached('events', upgraded.position);
    return { replacement_room: upgraded.roomId };
  },
});
