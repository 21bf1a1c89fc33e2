import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findMutualRooms } from './mutual-rooms.ts';

/** The rooms that the caller and another user are in, as clients asked before it was part of the specification. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms',
  spec: 'MSC2666, GET /_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms',
  auth: 'user',
  rateLimit: 'reading',
  query: Type.Object({ user_id: Type.String(), batch_token: Type.Optional(Type.String()) }),
  reply: Type.Object({
    joined: Type.Array(Type.String()),
    next_batch_token: Type.Optional(Type.String()),
  }),
  needs: ['db'],
  async handle({ query, caller, services }) {
    const from = query.batch_token ?? null;
    const page = await findMutualRooms(services.db, caller.userId, query.user_id, from);
    if (isRefusal(page)) return page;
    return { joined: [...page.joined], ...(page.next !== null && { next_batch_token: page.next }) };
  },
});
