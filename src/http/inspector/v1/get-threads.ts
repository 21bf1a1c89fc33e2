import { Type } from 'typebox';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { threadSchema } from '../report-schemas.ts';

/** Every thread: event-loop lag, heap, CPU. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/threads',
  spec: 'Troupe inspector v1: Every thread: event-loop lag, heap, CPU.',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Object({ threads: Type.Array(threadSchema) }),
  needs: ['inspector'],
  async handle({ services }) {
    const list = await services.inspector.ask('inspector.read-list', { subject: 'threads' });
    return reply(200, { threads: list });
  },
});
