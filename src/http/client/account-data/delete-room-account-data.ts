import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { checkIsOwn, checkIsSettable } from './account-data-rules.ts';
import { deleteContent } from './delete-content.ts';

/** Deletes account data of the caller for one room. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}',
  aliases: ['/_matrix/client/unstable/org.matrix.msc3391/user/{userId}/rooms/{roomId}/account_data/{type}'],
  spec: 'MSC3391',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: Type.Object({ userId: Type.String(), roomId: Type.String(), type: Type.String() }),
  reply: NOTHING,
  needs: ['account-data', 'streams'],
  async handle({ params, caller, services }) {
    const { userId, roomId, type } = params;
    const refusal = checkIsOwn(userId, caller.userId) ?? checkIsSettable(type);
    return refusal ?? deleteContent(services, { userId, roomId, type });
  },
});
