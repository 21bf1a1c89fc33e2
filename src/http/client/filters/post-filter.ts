import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { parseSyncFilter } from '../../../matrix/sync-filter-parse.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** The largest filter that is stored, in bytes. */
const FILTER_BYTES_MAX = 65_536;

/** Stores a filter and gives its id. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/user/{userId}/filter',
  aliases: ['/_matrix/client/r0/user/{userId}/filter'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/user/{userId}/filter',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  bodyBytesMax: FILTER_BYTES_MAX,
  params: Type.Object({ userId: Type.String() }),
  body: Type.Record(Type.String(), Type.Unknown()),
  reply: Type.Object({ filter_id: Type.String() }),
  needs: ['account-data'],
  async handle({ params, body, caller, services }) {
    if (params.userId !== caller.userId)
      return refuse('M_FORBIDDEN', 'You can store filters for yourself only.');
    const filter = body as JsonObject;
    const parsed = parseSyncFilter(filter);
    if (isRefusal(parsed)) return parsed;
    const { userId } = caller;
    const stored = await services['account-data'].ask('account-data.store-filter', { userId, filter });
    return isRefusal(stored) ? stored : { filter_id: stored.filterId };
  },
});
