import { Type } from 'typebox';
import { readRoomsOfUser } from '../../../../db/rooms/sync-reader.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** The rooms that the caller has joined. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/joined_rooms',
  aliases: ['/_matrix/client/r0/joined_rooms'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/joined_rooms',
  auth: 'user',
  rateLimit: 'reading',
  reply: Type.Object({ joined_rooms: Type.Array(Type.String()) }),
  needs: ['db'],
  async handle({ caller, services }) {
    const rooms = await readRoomsOfUser(services.db, caller.userId);
    const joined = rooms.filter((room) => room.membership === 'join');
    return { joined_rooms: joined.map((room) => room.roomId) };
  },
});
