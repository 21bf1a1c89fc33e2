import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Users that stand for somebody on another network: this server is bridged to none. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/thirdparty/user/{protocol}',
  aliases: ['/_matrix/client/r0/thirdparty/user/{protocol}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/thirdparty/user/{protocol}',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({ protocol: Type.String() }),
  reply: Type.Array(Type.Unknown()),
  needs: [],
  handle: () => Promise.resolve(refuse('M_NOT_FOUND', 'This server is not bridged to this network.')),
});
