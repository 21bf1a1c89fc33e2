import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';

/** What is known of a network: this server is bridged to none. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/thirdparty/protocol/{protocol}',
  aliases: ['/_matrix/client/r0/thirdparty/protocol/{protocol}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/thirdparty/protocol/{protocol}',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({ protocol: Type.String() }),
  reply: NOTHING,
  needs: [],
  handle: () => Promise.resolve(refuse('M_NOT_FOUND', 'This server is not bridged to this network.')),
});
