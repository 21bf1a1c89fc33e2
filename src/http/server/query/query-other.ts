import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Queries of which this server knows nothing: all but those that have endpoints of their own. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/query/{queryType}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/query/{queryType}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ queryType: Type.String() }),
  reply: Type.Unknown(),
  needs: [],
  handle: ({ params }) =>
    Promise.resolve(refuse('M_UNRECOGNIZED', `Nothing is known here about "${params.queryType}".`)),
});
