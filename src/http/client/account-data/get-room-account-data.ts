import { Type } from 'typebox';
import { findAccountData, isDeleted } from '../../../../db/account-data/reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { checkIsOwn } from './account-data-rules.ts';

/** Account data of the caller for one room. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}',
  aliases: ['/_matrix/client/r0/user/{userId}/rooms/{roomId}/account_data/{type}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({ userId: Type.String(), roomId: Type.String(), type: Type.String() }),
  reply: ANY_OBJECT,
  needs: ['db'],
  async handle({ params, caller, services }) {
    const { userId, roomId, type } = params;
    const refusal = checkIsOwn(userId, caller.userId);
    if (refusal !== undefined) return refusal;
    const stored = await findAccountData(services.db, userId, roomId, type);
    if (stored === undefined || isDeleted(stored))
      return refuse('M_NOT_FOUND', 'You have no account data of this type in this room.');
    return new JsonText(stored.content);
  },
});
