import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { delayedEventsSchema } from '../report-schemas.ts';

/** Events that users have sent later: what waits, and how it went. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/delayed-events',
  spec: 'Troupe inspector v1: Events that users have sent later: what waits, and how it went.',
  auth: 'admin',
  rateLimit: null,
  reply: delayedEventsSchema,
  needs: ['inspector'],
  async handle({ services }) {
    return reply(200, await services.inspector.ask('inspector.read-delayed-events', null));
  },
});
