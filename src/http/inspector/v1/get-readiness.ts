import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { readinessSchema } from '../settings-schemas.ts';

/** Whether requests should be sent here, and what is wrong with each part that is not well. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/readiness',
  spec: 'Troupe inspector v1: Whether requests should be sent here, and what is wrong with each part that is not well.',
  auth: 'admin',
  rateLimit: null,
  reply: readinessSchema,
  needs: ['inspector'],
  async handle({ services }) {
    const answer = await services.inspector.ask('inspector.read-readiness', null);
    return reply(200, answer);
  },
});
