import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** The caller's e-mail addresses and telephone numbers: this server keeps none. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/account/3pid',
  aliases: ['/_matrix/client/r0/account/3pid'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/account/3pid',
  auth: 'user',
  rateLimit: null,
  reply: Type.Object({ threepids: Type.Array(Type.Unknown()) }),
  needs: [],
  handle: () => Promise.resolve({ threepids: [] }),
});
