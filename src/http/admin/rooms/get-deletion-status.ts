import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { DELETION_STATUS, toDeletionStatus } from './job-status.ts';

/** How a deletion stands. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_synapse/admin/v2/rooms/delete_status/{deleteId}',
  spec: 'Room administration, as common administration tools use it',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ deleteId: Type.String() }),
  reply: DELETION_STATUS,
  needs: ['rooms'],
  async handle({ params, services }) {
    const found = await services.rooms.ask('rooms.read-jobs', { by: 'id', value: params.deleteId });
    const job = found.find(({ kind }) => kind === 'deletion');
    return job === undefined
      ? refuse('M_NOT_FOUND', `There is no deletion ${params.deleteId}.`)
      : toDeletionStatus(job);
  },
});
