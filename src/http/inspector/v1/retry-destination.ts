import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Tries another server at once, whatever its back-off. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_troupe/inspector/v1/destinations/{destination}/retry',
  spec: 'Troupe inspector v1: Tries another server at once, whatever its back-off.',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ destination: Type.String() }),
  reply: Type.Object({ retried: Type.String() }),
  needs: ['inspector'],
  handle: ({ params, services }) => services.inspector.ask('inspector.retry-destination', params),
});
