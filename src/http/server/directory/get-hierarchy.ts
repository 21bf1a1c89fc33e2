import { Type } from 'typebox';
import { readSpaceForServer } from '../../../directory/server-hierarchy.ts';
import { hostsInRoom } from '../../../federation/hosts-in-room.ts';
import { mayTakePart } from '../../../federation/server-acl.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { ANY_OBJECT, ROOM_PARAMS } from '../../client/rooms/room-params.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** A room and its children, as far as the asking server may know of them. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/hierarchy/{roomId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/hierarchy/{roomId}',
  auth: 'server',
  rateLimit: null,
  params: ROOM_PARAMS,
  query: Type.Object({ suggested_only: Type.Optional(Type.Boolean()) }),
  reply: Type.Object({
    room: ANY_OBJECT,
    children: Type.Array(ANY_OBJECT),
    inaccessible_children: Type.Array(Type.String()),
  }),
  needs: ['cached'],
  async handle({ params, query, caller, services }) {
    const { serverName } = caller;
    const server = {
      isIn: async (roomId: string) => (await services.cached.get(hostsInRoom, roomId)).includes(serverName),
    };
    // A room that keeps a server out tells it nothing of itself.
    const space = (await mayTakePart(services.cached, params.roomId, serverName))
      ? await readSpaceForServer(services, server, params.roomId, query.suggested_only ?? false)
      : refuse('M_NOT_FOUND', 'There is no such room, or it is not for you.');
    if (isRefusal(space)) return space;
    const { room, children, inaccessible } = space;
    return { room, children: [...children], inaccessible_children: [...inaccessible] };
  },
});
