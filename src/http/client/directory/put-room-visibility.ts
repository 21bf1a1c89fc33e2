import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING, ROOM_PARAMS } from '../rooms/room-params.ts';
import { refusePublishing } from './publishing.ts';

/** Puts a room into the public directory, or takes it out. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/directory/list/room/{roomId}',
  aliases: ['/_matrix/client/r0/directory/list/room/{roomId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/directory/list/room/{roomId}',
  auth: 'user',
  rateLimit: 'membership',
  params: ROOM_PARAMS,
  body: Type.Object({
    visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
  }),
  reply: NOTHING,
  needs: ['config', 'rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const isPublic = body.visibility !== 'private';
    const refused = isPublic ? refusePublishing(services.config, caller) : undefined;
    if (refused !== undefined) return refused;
    const { userId, isAdmin } = caller;
    const set = await services.rooms.ask('rooms.set-visibility', {
      roomId: params.roomId,
      sender: userId,
      isAdmin,
      isPublic,
    });
    if (isRefusal(set)) return set;
    if (set.position !== null) await services.streams.reached('caches', set.position);
    return {};
  },
});
