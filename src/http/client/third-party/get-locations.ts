import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Rooms that stand for a place on another network: this server is bridged to none. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/thirdparty/location/{protocol}',
  aliases: ['/_matrix/client/r0/thirdparty/location/{protocol}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/thirdparty/location/{protocol}',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({ protocol: Type.String() }),
  reply: Type.Array(Type.Unknown()),
  needs: [],
  handle: () => Promise.resolve(refuse('M_NOT_FOUND', 'This server is not bridged to this network.')),
});
