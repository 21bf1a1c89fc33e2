import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { roomSchema } from '../report-schemas.ts';

/** One room: version, members, extremities, events and their bytes. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/rooms/{roomId}',
  spec: 'Troupe inspector v1: One room: version, members, extremities, events and their bytes.',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  reply: roomSchema,
  needs: ['inspector'],
  async handle({ params, services }) {
    const room = await services.inspector.ask('inspector.read-room', params);
    return isRefusal(room) ? room : reply(200, room);
  },
});
