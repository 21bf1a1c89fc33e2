import { Type } from 'typebox';
import { AskFailed } from '../../../actors/kit/ref.ts';
import { defineEndpoint, reply } from '../kit/endpoint.ts';

/** Load balancers ask often and wait for seconds at most. */
const DEADLINE_MS = 4_000;

/**
 * Says whether requests should be sent here: 200 when every part that nearly all requests need is well, otherwise 503 and which is not. For
 * load balancers, which then send none; restarting what is not well is the supervisor's.
 */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/health/ready',
  spec: 'none: an endpoint of this server',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({
    status: Type.Enum(['ready', 'not ready']),
    parts: Type.Record(Type.String(), Type.Enum(['ok', 'not ok'])),
  }),
  needs: ['inspector'],
  async handle({ services }) {
    try {
      const { isReady, parts } = await services.inspector.ask('inspector.read-readiness', null, {
        deadlineMs: DEADLINE_MS,
      });
      // Why is for who looks into the log or the metrics: it may name folders, and nobody is asked who he is here.
      const states = Object.fromEntries(
        parts.map(({ name, fault }) => [name, fault === null ? 'ok' : 'not ok']),
      );
      return reply(isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready', parts: states });
    } catch (error) {
      if (!(error instanceof AskFailed)) throw error;
      return reply(503, { status: 'not ready', parts: { supervisor: 'not ok' } });
    }
  },
});
