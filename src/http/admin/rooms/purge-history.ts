import { Type } from 'typebox';
import { findPurgeEvent } from '../../../../db/rooms/purge-reader.ts';
import { findRoom } from '../../../../db/rooms/room-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Begins to delete the history of a room before an event or a moment. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_synapse/admin/v1/purge_history/{roomId}/{eventId?}',
  spec: 'Room administration, as common administration tools use it',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String(), eventId: Type.String() }),
  body: Type.Object({
    delete_local_events: Type.Optional(Type.Boolean()),
    purge_up_to_event_id: Type.Optional(Type.String()),
    purge_up_to_ts: Type.Optional(Type.Integer()),
  }),
  reply: Type.Object({ purge_id: Type.String() }),
  needs: ['db', 'rooms'],
  async handle({ params, body, services }) {
    const { roomId } = params;
    const { db, rooms } = services;
    const named = params.eventId === '' ? body.purge_up_to_event_id : params.eventId;
    if (named === undefined && body.purge_up_to_ts === undefined)
      return refuse('M_BAD_JSON', 'Say where to stop: "purge_up_to_event_id" or "purge_up_to_ts".');
    if ((await findRoom(db, roomId)) === undefined)
      return refuse('M_NOT_FOUND', `There is no room ${roomId} that this server knows.`);
    const beforeEventId = named ?? (await findPurgeEvent(db, roomId, body.purge_up_to_ts ?? null));
    if (beforeEventId === undefined) return refuse('M_NOT_FOUND', 'There is no event to be purged.');
    const deleteLocalEvents = body.delete_local_events ?? false;
    const begun = await rooms.ask('rooms.begin-purge', { roomId, beforeEventId, deleteLocalEvents });
    return isRefusal(begun) ? begun : { purge_id: begun.id };
  },
});
