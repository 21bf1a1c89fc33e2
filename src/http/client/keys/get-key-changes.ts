import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { admitToken } from '../../../streams/token-admission.ts';
import { parseToken } from '../../../streams/token.ts';
import { readKeyChanges } from '../../../sync/key-changes.ts';
import { currentRange } from '../../../sync/sync-range.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/**
 * Users whose keys changed since a token. The answer reaches to what this server has now: `to` only makes sure that it is not behind the
 * client.
 */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/keys/changes',
  aliases: ['/_matrix/client/r0/keys/changes'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/keys/changes',
  auth: 'user',
  rateLimit: null,
  query: Type.Object({ from: Type.String(), to: Type.String() }),
  reply: Type.Object({ changed: Type.Array(Type.String()), left: Type.Array(Type.String()) }),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ query, caller, services }) {
    const from = parseToken(query.from);
    if (isRefusal(from)) return from;
    const to = parseToken(query.to);
    if (isRefusal(to)) return to;
    await admitToken(to, services.streams, services.db);
    const since = await admitToken(from, services.streams, services.db);
    const { userId, deviceId } = caller;
    const range = currentRange(services.streams, since);
    const { changed, left } = await readKeyChanges({ services, caller: { userId, deviceId }, range });
    return { changed: [...changed], left: [...left] };
  },
});
