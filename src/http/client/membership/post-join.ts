import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { enterRoom } from './enter-room.ts';
import { findEntrance } from './find-entrance.ts';
import { VIA_QUERY, viaOf } from './via.ts';

/** Joins a room that is named by its id or an alias. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/join/{roomIdOrAlias}',
  aliases: ['/_matrix/client/r0/join/{roomIdOrAlias}'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/join/{roomIdOrAlias}',
  auth: 'user',
  rateLimit: 'membership',
  params: Type.Object({ roomIdOrAlias: Type.String() }),
  query: VIA_QUERY,
  body: Type.Object({ reason: Type.Optional(Type.String()), third_party_signed: Type.Optional(ANY_OBJECT) }),
  reply: Type.Object({ room_id: Type.String() }),
  needs: ['config', 'db', 'federationClient', 'remote-rooms', 'rooms', 'streams'],
  async handle({ params, query, body, caller, services }) {
    const entrance = await findEntrance(services, params.roomIdOrAlias, viaOf(query));
    if (isRefusal(entrance)) return entrance;
    const { roomId, via } = entrance;
    const { userId } = caller;
    return enterRoom(services, { userId, roomId, action: 'join', reason: body.reason, via });
  },
});
