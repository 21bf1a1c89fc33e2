import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING, ROOM_PARAMS } from '../rooms/room-params.ts';
import { changeMembership } from './change-membership.ts';
import { reasonContent } from './member-content.ts';

/** Lets a banned user back in, should somebody invite them. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/unban',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/unban'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/unban',
  auth: 'user',
  rateLimit: 'membership',
  params: ROOM_PARAMS,
  body: Type.Object({ user_id: Type.String(), reason: Type.Optional(Type.String()) }),
  reply: NOTHING,
  needs: ['rooms', 'streams'],
  handle({ params, body, caller, services }) {
    return changeMembership(services, {
      roomId: params.roomId,
      sender: caller.userId,
      target: body.user_id,
      action: 'unban',
      content: reasonContent(body.reason),
    });
  },
});
