import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Keeps everybody of this server from coming into a room, known or not, or lets them in again. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_synapse/admin/v1/rooms/{roomId}/block',
  spec: 'Room administration, as common administration tools use it',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  body: Type.Object({ block: Type.Boolean() }),
  reply: Type.Object({ block: Type.Boolean() }),
  needs: ['rooms'],
  async handle({ params, body, caller, services }) {
    const { roomId } = params;
    const block = { roomId, isBlocked: body.block, requestedBy: caller.userId };
    const stored = await services.rooms.ask('rooms.block-room', block);
    return isRefusal(stored) ? stored : { block: body.block };
  },
});
