import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Fetches the members of a room that was joined without them at once, whatever its back-off. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_troupe/inspector/v1/partial-rooms/{roomId}/retry',
  spec: 'Troupe inspector v1: Fetches the members of a room that was joined without them at once, whatever its back-off.',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  reply: Type.Object({ retried: Type.String() }),
  needs: ['inspector'],
  handle: ({ params, services }) => services.inspector.ask('inspector.retry-partial-room', params),
});
