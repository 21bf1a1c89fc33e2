import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { DELETION_STATUS, toDeletionStatus } from './job-status.ts';

/** How the deletions of one room stand, the oldest first. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_synapse/admin/v2/rooms/{roomId}/delete_status',
  spec: 'Room administration, as common administration tools use it',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  reply: Type.Object({ results: Type.Array(DELETION_STATUS) }),
  needs: ['rooms'],
  async handle({ params, services }) {
    const found = await services.rooms.ask('rooms.read-jobs', { by: 'room', value: params.roomId });
    const deletions = found.filter(({ kind }) => kind === 'deletion');
    return deletions.length === 0
      ? refuse('M_NOT_FOUND', `There is no deletion of ${params.roomId}.`)
      : { results: deletions.map(toDeletionStatus) };
  },
});
