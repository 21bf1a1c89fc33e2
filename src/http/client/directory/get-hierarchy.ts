import { Type } from 'typebox';
import { readHierarchy } from '../../../directory/hierarchy.ts';
import { findSeeker } from '../../../directory/room-discovery.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT, ROOM_PARAMS } from '../rooms/room-params.ts';

/** The rooms of a space, and of the spaces in it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/rooms/{roomId}/hierarchy',
  aliases: ['/_matrix/client/unstable/org.matrix.msc2946/rooms/{roomId}/hierarchy'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/rooms/{roomId}/hierarchy',
  auth: 'user',
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  query: Type.Object({
    suggested_only: Type.Optional(Type.Boolean()),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    max_depth: Type.Optional(Type.Integer({ minimum: 0 })),
    from: Type.Optional(Type.String()),
  }),
  reply: Type.Object({ rooms: Type.Array(ANY_OBJECT), next_batch: Type.Optional(Type.String()) }),
  needs: ['cached', 'remoteQueries'],
  async handle({ params, query, caller, services }) {
    const page = await readHierarchy(services, await findSeeker(services, caller), {
      roomId: params.roomId,
      userId: caller.userId,
      suggestedOnly: query.suggested_only ?? false,
      maxDepth: query.max_depth ?? null,
      limit: query.limit ?? null,
      from: query.from ?? null,
    });
    if (isRefusal(page)) return page;
    const { kind: _, rooms, ...token } = page;
    return { rooms: [...rooms], ...token };
  },
});
