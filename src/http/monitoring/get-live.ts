import { Type } from 'typebox';
import { defineEndpoint } from '../kit/endpoint.ts';

/** Says that the thread that got the request answers; it promises nothing about the others, for restarting those is the supervisor's. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/health/live',
  spec: 'none: an endpoint of this server',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({ status: Type.Literal('ok') }),
  needs: [],
  handle: () => Promise.resolve({ status: 'ok' as const }),
});
