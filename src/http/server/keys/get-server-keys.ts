import { Type } from 'typebox';
import { parseServerName } from '../../../matrix/identifiers/server-name.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { documentsSchema, NOTARY_DEADLINE_MS } from './key-schemas.ts';

/** What another server publishes about its signing keys, with this server's signature beside its own. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/key/v2/query/{serverName}',
  spec: 'Server-Server API v1.19, GET /_matrix/key/v2/query/{serverName}',
  auth: 'none',
  rateLimit: null,
  params: Type.Object({ serverName: Type.String() }),
  query: Type.Object({ minimum_valid_until_ts: Type.Optional(Type.Integer()) }),
  reply: documentsSchema,
  needs: ['server-keys', 'clock'],
  async handle({ params, query, services }) {
    const { serverName } = params;
    if (parseServerName(serverName) === undefined)
      return refuse('M_INVALID_PARAM', 'serverName is no name of a server');
    const validUntilTs = query.minimum_valid_until_ts ?? services.clock.now();
    const wanted = [{ serverName, keyIds: [], validUntilTs }];
    const { documents } = await services['server-keys'].ask(
      'server-keys.read-documents',
      { wanted },
      { deadlineMs: NOTARY_DEADLINE_MS },
    );
    return reply(200, { server_keys: documents });
  },
});
