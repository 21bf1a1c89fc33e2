import { Type } from 'typebox';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { limitSchema } from '../report-schemas.ts';

/** Every rate limiter that has refused somebody. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/limits',
  spec: 'Troupe inspector v1: Every rate limiter that has refused somebody.',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Object({ limits: Type.Array(limitSchema) }),
  needs: ['inspector'],
  async handle({ services }) {
    const list = await services.inspector.ask('inspector.read-list', { subject: 'limits' });
    return reply(200, { limits: list });
  },
});
