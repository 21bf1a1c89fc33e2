import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';

/** The networks that this server is bridged to: none. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/thirdparty/protocols',
  aliases: ['/_matrix/client/r0/thirdparty/protocols'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/thirdparty/protocols',
  auth: 'user',
  rateLimit: null,
  reply: NOTHING,
  needs: [],
  handle: () => Promise.resolve({}),
});
