import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { checkIsOwn } from './account-data-rules.ts';
import { setTag } from './set-tag.ts';

/** Puts a tag on a room, for the caller only. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}',
  aliases: ['/_matrix/client/r0/user/{userId}/rooms/{roomId}/tags/{tag}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: Type.Object({ userId: Type.String(), roomId: Type.String(), tag: Type.String() }),
  body: Type.Object({ order: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })) }),
  reply: NOTHING,
  needs: ['account-data', 'streams'],
  async handle({ params, body, caller, services }) {
    const { userId, roomId, tag } = params;
    const refusal = checkIsOwn(userId, caller.userId);
    if (refusal !== undefined) return refusal;
    return setTag(services, { userId, roomId, tag, content: body });
  },
});
