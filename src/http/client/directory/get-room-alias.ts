import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findAliasAnywhere } from './find-alias.ts';

/** The room that an alias points at, of this server or another. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/directory/room/{roomAlias}',
  aliases: ['/_matrix/client/r0/directory/room/{roomAlias}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/directory/room/{roomAlias}',
  auth: 'none',
  rateLimit: null,
  params: Type.Object({ roomAlias: Type.String() }),
  reply: Type.Object({ room_id: Type.String(), servers: Type.Array(Type.String()) }),
  needs: ['db', 'cached', 'config', 'remoteQueries'],
  async handle({ params, services }) {
    const alias = await findAliasAnywhere(services, params.roomAlias);
    if (isRefusal(alias)) return alias;
    return { room_id: alias.roomId, servers: [...alias.servers] };
  },
});
