import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { reloadSchema } from '../settings-schemas.ts';

/** Reads the configuration again, as SIGHUP does, and says what took effect, what needs a restart, and what is wrong. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_troupe/inspector/v1/config/reload',
  spec: 'Troupe inspector v1: Reads the configuration again, as SIGHUP does, and says what took effect, what needs a restart, and what is wrong.',
  auth: 'admin',
  rateLimit: null,
  reply: reloadSchema,
  needs: ['inspector'],
  async handle({ services }) {
    const answer = await services.inspector.ask('inspector.reload-config', null);
    return isRefusal(answer) ? answer : reply(200, answer);
  },
});
