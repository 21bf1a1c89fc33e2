import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT, NOTHING } from '../rooms/room-params.ts';
import { checkIsOwn, checkIsSettable } from './account-data-rules.ts';

/** Sets account data of the caller. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/user/{userId}/account_data/{type}',
  aliases: ['/_matrix/client/r0/user/{userId}/account_data/{type}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/user/{userId}/account_data/{type}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: Type.Object({ userId: Type.String(), type: Type.String() }),
  body: ANY_OBJECT,
  reply: NOTHING,
  needs: ['account-data', 'streams'],
  async handle({ params, body, caller, services }) {
    const { userId, type } = params;
    const refusal = checkIsOwn(userId, caller.userId) ?? checkIsSettable(type);
    if (refusal !== undefined) return refusal;
    const stored = await services['account-data'].ask('account-data.set-content', {
      userId,
      roomId: null,
      type,
      content: body as JsonObject,
    });
    if (isRefusal(stored)) return stored;
    await services.streams.reached('account-data', stored.position);
    return {};
  },
});
