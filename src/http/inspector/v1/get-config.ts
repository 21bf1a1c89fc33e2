import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { configSchema } from '../settings-schemas.ts';

/** Every option: what holds, whether it can change while the server runs, and what the last reading again came to. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/config',
  spec: 'Troupe inspector v1: Every option: what holds, whether it can change while the server runs, and what the last reading again came to.',
  auth: 'admin',
  rateLimit: null,
  reply: configSchema,
  needs: ['inspector'],
  async handle({ services }) {
    const answer = await services.inspector.ask('inspector.read-config', null);
    return isRefusal(answer) ? answer : reply(200, answer);
  },
});
