import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Who holds the access token. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/account/whoami',
  aliases: ['/_matrix/client/r0/account/whoami'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/account/whoami',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  reply: Type.Object({ user_id: Type.String(), device_id: Type.String(), is_guest: Type.Boolean() }),
  needs: [],
  handle: ({ caller }) =>
    Promise.resolve({ user_id: caller.userId, device_id: caller.deviceId, is_guest: caller.isGuest }),
});
