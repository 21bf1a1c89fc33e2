import { Type } from 'typebox';
import { defineEndpoint } from '../kit/endpoint.ts';

/** Says that the gateway thread that got the request answers; for load balancers. It promises nothing about the other actors. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/health',
  spec: 'none: an endpoint of this server',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({ status: Type.Literal('ok') }),
  needs: [],
  handle: () => Promise.resolve({ status: 'ok' as const }),
});
