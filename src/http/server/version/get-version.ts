import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { IMPLEMENTATION } from '../../kit/implementation.ts';

/** The name and version of this implementation. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/version',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/version',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({ server: Type.Object({ name: Type.String(), version: Type.String() }) }),
  needs: [],
  handle: () => Promise.resolve({ server: IMPLEMENTATION }),
});
