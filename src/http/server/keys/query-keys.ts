import { Type } from 'typebox';
import { parseServerName } from '../../../matrix/identifiers/server-name.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { documentsSchema, NOTARY_DEADLINE_MS } from './key-schemas.ts';

/** How many servers one query may name. */
export const QUERIED_SERVERS_MAX = 100;

/** What other servers publish about their signing keys, with this server's signature beside theirs. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/key/v2/query',
  spec: 'Server-Server API v1.19, POST /_matrix/key/v2/query',
  auth: 'none',
  rateLimit: null,
  body: Type.Object({
    server_keys: Type.Record(
      Type.String(),
      Type.Record(Type.String(), Type.Object({ minimum_valid_until_ts: Type.Optional(Type.Integer()) })),
    ),
  }),
  reply: documentsSchema,
  needs: ['server-keys', 'clock'],
  async handle({ body, services }) {
    const asked = Object.entries(body.server_keys);
    if (asked.length > QUERIED_SERVERS_MAX)
      return refuse('M_TOO_LARGE', `server_keys names more than ${QUERIED_SERVERS_MAX} servers`);
    const now = services.clock.now();
    const wanted = asked
      .filter(([serverName]) => parseServerName(serverName) !== undefined)
      .map(([serverName, keys]) => ({
        serverName,
        keyIds: Object.keys(keys),
        // What names no time means now.
        validUntilTs: Math.max(
          ...Object.values(keys).map((criteria) => criteria.minimum_valid_until_ts ?? now),
          Object.keys(keys).length === 0 ? now : 0,
        ),
      }));
    const { documents } = await services['server-keys'].ask(
      'server-keys.read-documents',
      { wanted },
      { deadlineMs: NOTARY_DEADLINE_MS },
    );
    return reply(200, { server_keys: documents });
  },
});
