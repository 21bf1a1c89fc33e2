import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { keyDocumentSchema } from './key-schemas.ts';

/** What this server publishes about its signing keys. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/key/v2/server',
  spec: 'Server-Server API v1.19, GET /_matrix/key/v2/server',
  auth: 'none',
  rateLimit: null,
  reply: keyDocumentSchema,
  needs: ['server-keys'],
  async handle({ services }) {
    return reply(200, await services['server-keys'].ask('server-keys.read-own', null));
  },
});
