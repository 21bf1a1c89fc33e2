import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';

/** How many destinations one answer holds at most. */
const LIMIT_MAX = 1_000;
const LIMIT = 100;

const TS = Type.Union([Type.Integer(), Type.Null()]);

const destinationSchema = Type.Object({
  destination: Type.String(),
  failingSinceTs: TS,
  retryTs: TS,
  lastError: Type.Union([Type.String(), Type.Null()]),
  lastHeardTs: TS,
  queuedEvents: Type.Integer(),
  queuedEdus: Type.Integer(),
  eventsSentUpTo: Type.Integer(),
});

/** Other servers by name: what waits for them, and whether they answer. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/destinations',
  spec: 'Troupe inspector v1: Other servers by name: what waits for them, and whether they answer.',
  auth: 'admin',
  rateLimit: null,
  query: Type.Object({
    after: Type.Optional(Type.String({ description: 'only servers whose name comes after' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMIT_MAX })),
  }),
  reply: Type.Object({ destinations: Type.Array(destinationSchema) }),
  needs: ['inspector'],
  async handle({ query, services }) {
    const { after = null, limit = LIMIT } = query;
    const page = await services.inspector.ask('inspector.read-destinations', { after, limit });
    return isRefusal(page) ? page : reply(200, { destinations: [...page.destinations] });
  },
});
