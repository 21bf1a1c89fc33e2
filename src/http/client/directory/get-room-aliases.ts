import { Type } from 'typebox';
import { readRoomAliases } from '../../../../db/rooms/room-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findRoomAccess, notInRoom } from '../rooms/room-access.ts';
import { ROOM_PARAMS } from '../rooms/room-params.ts';

/** The aliases of this server that point at a room, for its members, and for everybody where everybody may read. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/aliases',
  aliases: [
    '/_matrix/client/r0/rooms/{roomId}/aliases',
    '/_matrix/client/unstable/org.matrix.msc2432/rooms/{roomId}/aliases',
  ],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/aliases',
  auth: 'user',
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  reply: Type.Object({ aliases: Type.Array(Type.String()) }),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, caller, services }) {
    const access = await findRoomAccess(services, caller.userId, params.roomId);
    if (isRefusal(access)) return access;
    // Who has left may read what was there then, and these are the aliases of now.
    if (!access.isJoined && access.to !== null) return notInRoom();
    const aliases = await readRoomAliases(services.db, params.roomId);
    return { aliases: aliases.map(({ alias }) => alias) };
  },
});
