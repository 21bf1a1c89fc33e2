import { Type } from 'typebox';
import { findRoom } from '../../../../db/rooms/room-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING, ROOM_PARAMS } from '../rooms/room-params.ts';

/** Tells the administrators of a room. Whether it exists is told to nobody: the answer is the same. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/report',
  aliases: ['/_matrix/client/unstable/org.matrix.msc4151/rooms/{roomId}/report'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/report',
  auth: 'user',
  rateLimit: 'membership',
  params: ROOM_PARAMS,
  body: Type.Object({ reason: Type.String() }),
  reply: NOTHING,
  needs: ['db', 'reports'],
  async handle({ params, body, caller, services }) {
    const { roomId } = params;
    if ((await findRoom(services.db, roomId)) === undefined) return {};
    const report = {
      reporter: caller.userId,
      subject: { kind: 'room', roomId },
      reason: body.reason,
    } as const;
    const stored = await services.reports.ask('reports.store', report);
    return isRefusal(stored) ? stored : {};
  },
});
