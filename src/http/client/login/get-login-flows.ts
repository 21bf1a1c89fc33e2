import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** The ways to log in. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/login',
  aliases: ['/_matrix/client/r0/login'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/login',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({ flows: Type.Array(Type.Object({ type: Type.String() })) }),
  needs: [],
  handle: () => Promise.resolve({ flows: [{ type: 'm.login.password' }] }),
});
