import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { checkIsOwn } from './account-data-rules.ts';
import { setTag } from './set-tag.ts';

/** Takes a tag off a room. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}',
  aliases: ['/_matrix/client/r0/user/{userId}/rooms/{roomId}/tags/{tag}'],
  spec: 'Client-Server API v1.19, DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: Type.Object({ userId: Type.String(), roomId: Type.String(), tag: Type.String() }),
  reply: NOTHING,
  needs: ['account-data', 'streams'],
  async handle({ params, caller, services }) {
    const { userId, roomId, tag } = params;
    const refusal = checkIsOwn(userId, caller.userId);
    if (refusal !== undefined) return refusal;
    return setTag(services, { userId, roomId, tag, content: null });
  },
});
