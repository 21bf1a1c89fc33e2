import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Places on other networks that a room stands for: this server is bridged to none. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/thirdparty/location',
  aliases: ['/_matrix/client/r0/thirdparty/location'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/thirdparty/location',
  auth: 'user',
  rateLimit: null,
  query: Type.Object({ alias: Type.String() }),
  reply: Type.Array(Type.Unknown()),
  needs: [],
  handle: () => Promise.resolve(refuse('M_NOT_FOUND', 'This server is not bridged to any network.')),
});
