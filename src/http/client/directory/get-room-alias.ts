import { Type } from 'typebox';
import { findAlias } from '../../../../db/rooms/room-reader.ts';
import { parseRoomAlias } from '../../../matrix/identifiers/room-alias.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** The room that an alias of this server points at. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/directory/room/{roomAlias}',
  aliases: ['/_matrix/client/r0/directory/room/{roomAlias}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/directory/room/{roomAlias}',
  auth: 'none',
  rateLimit: null,
  params: Type.Object({ roomAlias: Type.String() }),
  reply: Type.Object({ room_id: Type.String(), servers: Type.Array(Type.String()) }),
  needs: ['db', 'config'],
  async handle({ params, services }) {
    if (parseRoomAlias(params.roomAlias) === undefined)
      return refuse('M_INVALID_PARAM', 'The path does not name a room alias.');
    const alias = await findAlias(services.db, params.roomAlias);
    if (alias === undefined) return refuse('M_NOT_FOUND', 'No room has this alias.');
    return { room_id: alias.roomId, servers: [services.config.server.name] };
  },
});
