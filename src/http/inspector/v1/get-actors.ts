import { Type } from 'typebox';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { actorSchema } from '../report-schemas.ts';

/** Every actor: its thread, state, mailbox, failures, restarts, and how long its messages take. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/actors',
  spec: 'Troupe inspector v1: Every actor: its thread, state, mailbox, failures, restarts, and how long its messages take.',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Object({ actors: Type.Array(actorSchema) }),
  needs: ['inspector'],
  async handle({ services }) {
    const list = await services.inspector.ask('inspector.read-list', { subject: 'actors' });
    return reply(200, { actors: list });
  },
});
