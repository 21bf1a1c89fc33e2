import { Type } from 'typebox';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { cacheSchema } from '../report-schemas.ts';

/** Every cache of every thread. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/caches',
  spec: 'Troupe inspector v1: Every cache of every thread.',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Object({ caches: Type.Array(cacheSchema) }),
  needs: ['inspector'],
  async handle({ services }) {
    const list = await services.inspector.ask('inspector.read-list', { subject: 'caches' });
    return reply(200, { caches: list });
  },
});
