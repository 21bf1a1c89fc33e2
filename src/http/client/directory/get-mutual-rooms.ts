import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findMutualRooms } from './mutual-rooms.ts';
import { isRefusal } from '../../../matrix/refusal.ts';

/** The rooms that the caller and another user are in. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/mutual_rooms',
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/mutual_rooms',
  auth: 'user',
  rateLimit: 'reading',
  query: Type.Object({ user_id: Type.String(), from: Type.Optional(Type.String()) }),
  reply: Type.Object({
    joined: Type.Array(Type.String()),
    count: Type.Integer(),
    next_batch: Type.Optional(Type.String()),
  }),
  needs: ['db'],
  async handle({ query, caller, services }) {
    const page = await findMutualRooms(services.db, caller.userId, query.user_id, query.from ?? null);
    if (isRefusal(page)) return page;
    const { joined, count, next } = page;
    return { joined: [...joined], count, ...(next !== null && { next_batch: next }) };
  },
});
