import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';

const GET_LOGIN_TOKEN = 'POST /_matrix/client/v1/login/get_token';

/** The ways to log in. A token for a login comes from a device that is logged in, where that is served. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/login',
  aliases: ['/_matrix/client/r0/login'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/login',
  auth: 'none',
  rateLimit: 'reading',
  reply: Type.Object({
    flows: Type.Array(Type.Object({ type: Type.String(), get_login_token: Type.Optional(Type.Boolean()) })),
  }),
  needs: ['served'],
  handle: ({ services }) =>
    Promise.resolve({
      flows: [
        { type: 'm.login.password' },
        ...(services.served.has(GET_LOGIN_TOKEN) ? [{ type: 'm.login.token', get_login_token: true }] : []),
      ],
    }),
});
