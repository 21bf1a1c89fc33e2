import { Type } from 'typebox';
import { findRoom } from '../../../../db/rooms/room-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { DELETION_BODY, toDeletion } from './deletion-request.ts';

/** Begins to delete a room. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_synapse/admin/v2/rooms/{roomId}',
  spec: 'Room administration, as common administration tools use it',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  body: DELETION_BODY,
  reply: Type.Object({ delete_id: Type.String() }),
  needs: ['config', 'db', 'rooms'],
  async handle({ params, body, caller, services }) {
    const { roomId } = params;
    const { db, rooms } = services;
    if ((await findRoom(db, roomId)) === undefined)
      return refuse('M_NOT_FOUND', `There is no room ${roomId} that this server knows.`);
    const request = await toDeletion(services, roomId, body, caller.userId);
    if (isRefusal(request)) return request;
    const begun = await rooms.ask('rooms.begin-deletion', request);
    return isRefusal(begun) ? begun : { delete_id: begun.id };
  },
});
