import { Type } from 'typebox';
import { EXPOSITION_TYPES } from '../../inspector/exposition/metric-family.ts';
import { defineEndpoint, reply } from '../kit/endpoint.ts';

/** Everything that can be measured, for Prometheus: in its text format 0.0.4, or as OpenMetrics 1.0.0 when that is asked for. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/metrics',
  spec: 'none: an endpoint of this server',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Unknown(),
  needs: ['inspector'],
  async handle({ accept, services }) {
    const format = accept.includes('application/openmetrics-text') ? 'openmetrics' : 'text';
    const text = await services.inspector.ask('inspector.read-metrics', { format });
    return reply(200, Buffer.from(text), { 'Content-Type': EXPOSITION_TYPES[format] });
  },
});
