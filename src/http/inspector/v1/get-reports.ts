import { Type } from 'typebox';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { reportSchema } from '../report-schemas.ts';

/** How many reports one answer holds at most. */
const LIMIT_MAX = 1_000;
const LIMIT = 100;

/** What users have reported to the administrators, the newest first. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/reports',
  spec: 'Troupe inspector v1: What users have reported to the administrators, the newest first.',
  auth: 'admin',
  rateLimit: null,
  query: Type.Object({
    before: Type.Optional(Type.Integer({ minimum: 1, description: 'only reports with a smaller id' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMIT_MAX })),
  }),
  reply: Type.Object({ reports: Type.Array(reportSchema) }),
  needs: ['inspector'],
  async handle({ query, services }) {
    const { before = null, limit = LIMIT } = query;
    const reports = await services.inspector.ask('inspector.read-reports', { before, limit });
    return reply(200, { reports });
  },
});
