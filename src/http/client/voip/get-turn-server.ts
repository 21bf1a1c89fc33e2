import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';

/** This server has no TURN server to offer: an empty object says so. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/voip/turnServer',
  aliases: ['/_matrix/client/r0/voip/turnServer'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/voip/turnServer',
  auth: 'user',
  rateLimit: null,
  reply: NOTHING,
  needs: [],
  handle: () => Promise.resolve({}),
});
