import { Type } from 'typebox';
import { findRoomClosure } from '../../../../db/rooms/blocked-room-reader.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Whether a room is blocked, and by whom. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_synapse/admin/v1/rooms/{roomId}/block',
  spec: 'Room administration, as common administration tools use it',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  reply: Type.Object({ block: Type.Boolean(), user_id: Type.Optional(Type.String()) }),
  needs: ['db'],
  async handle({ params, services }) {
    const closure = await findRoomClosure(services.db, params.roomId);
    if (closure?.kind !== 'blocked') return { block: false };
    return { block: true, ...(closure.userId === null ? {} : { user_id: closure.userId }) };
  },
});
