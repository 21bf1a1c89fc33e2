import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Ends the present life of an actor and answers when the next has started. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_troupe/inspector/v1/actors/{name}/restart',
  spec: 'Troupe inspector v1: Ends the present life of an actor and answers when the next has started.',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ name: Type.String() }),
  reply: Type.Object({ restarted: Type.String() }),
  needs: ['inspector'],
  handle: ({ params, services }) => services.inspector.ask('inspector.restart-actor', params),
});
