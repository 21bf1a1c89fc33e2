import { Type } from 'typebox';
import { findRoom } from '../../../../db/rooms/room-reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ROOM_PARAMS } from '../rooms/room-params.ts';

/** Says whether a room stands in the public directory. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/directory/list/room/{roomId}',
  aliases: ['/_matrix/client/r0/directory/list/room/{roomId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/directory/list/room/{roomId}',
  auth: 'none',
  rateLimit: null,
  params: ROOM_PARAMS,
  reply: Type.Object({ visibility: Type.Union([Type.Literal('public'), Type.Literal('private')]) }),
  needs: ['db'],
  async handle({ params, services }) {
    const room = await findRoom(services.db, params.roomId);
    if (room === undefined) return refuse('M_NOT_FOUND', 'There is no such room here.');
    return { visibility: room.isPublic ? ('public' as const) : ('private' as const) };
  },
});
