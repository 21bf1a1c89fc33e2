import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { logLevelSchema } from '../settings-schemas.ts';

/** Which lines are written to the log. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/log-level',
  spec: 'Troupe inspector v1: Which lines are written to the log.',
  auth: 'admin',
  rateLimit: null,
  reply: logLevelSchema,
  needs: ['inspector'],
  async handle({ services }) {
    const answer = await services.inspector.ask('inspector.read-log-levels', null);
    return reply(200, answer);
  },
});
