import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** How a purge of history stands. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_synapse/admin/v1/purge_history_status/{purgeId}',
  spec: 'Room administration, as common administration tools use it',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ purgeId: Type.String() }),
  reply: Type.Object({
    status: Type.Union([Type.Literal('active'), Type.Literal('complete'), Type.Literal('failed')]),
    error: Type.Optional(Type.String()),
  }),
  needs: ['rooms'],
  async handle({ params, services }) {
    const found = await services.rooms.ask('rooms.read-jobs', { by: 'id', value: params.purgeId });
    const job = found.find(({ kind }) => kind === 'purge');
    if (job === undefined) return refuse('M_NOT_FOUND', `There is no purge ${params.purgeId}.`);
    return { status: job.state, ...(job.error === null ? {} : { error: job.error }) };
  },
});
