import { Type } from 'typebox';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { findLocalAlias } from '../../client/directory/find-alias.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** The room that an alias of this server points at. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/query/directory',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/query/directory',
  auth: 'server',
  rateLimit: null,
  query: Type.Object({ room_alias: Type.String() }),
  reply: Type.Object({ room_id: Type.String(), servers: Type.Array(Type.String()) }),
  needs: ['db', 'cached', 'config'],
  async handle({ query, services }) {
    if (!isOfServer(query.room_alias, services.config.server.name))
      return refuse('M_NOT_FOUND', 'The alias is not one of this server.');
    const alias = await findLocalAlias(services, query.room_alias);
    return isRefusal(alias) ? alias : { room_id: alias.roomId, servers: [...alias.servers] };
  },
});
