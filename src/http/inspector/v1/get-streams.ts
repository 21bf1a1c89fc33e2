import { Type } from 'typebox';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { streamSchema } from '../report-schemas.ts';

/** Every stream: its owner and positions, and each subscriber with its lag. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/streams',
  spec: 'Troupe inspector v1: Every stream: its owner and positions, and each subscriber with its lag.',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Object({ streams: Type.Array(streamSchema) }),
  needs: ['inspector'],
  async handle({ services }) {
    const list = await services.inspector.ask('inspector.read-list', { subject: 'streams' });
    return reply(200, { streams: list });
  },
});
