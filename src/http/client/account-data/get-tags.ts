import { Type } from 'typebox';
import { findAccountData } from '../../../../db/account-data/reader.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { checkIsOwn } from './account-data-rules.ts';

/** The tags that the caller has put on a room. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags',
  aliases: ['/_matrix/client/r0/user/{userId}/rooms/{roomId}/tags'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({ userId: Type.String(), roomId: Type.String() }),
  reply: Type.Object({ tags: Type.Optional(ANY_OBJECT) }),
  needs: ['db'],
  async handle({ params, caller, services }) {
    const { userId, roomId } = params;
    const refusal = checkIsOwn(userId, caller.userId);
    if (refusal !== undefined) return refusal;
    const stored = await findAccountData(services.db, userId, roomId, 'm.tag');
    return stored === undefined ? { tags: {} } : new JsonText(stored.content);
  },
});
