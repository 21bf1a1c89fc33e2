import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING, ROOM_PARAMS } from '../rooms/room-params.ts';
import { changeMembership } from './change-membership.ts';
import { REMOVAL_BODY, removalContent } from './member-content.ts';

/** Removes a user from a room and keeps the user out. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/ban',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/ban'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/ban',
  auth: 'user',
  rateLimit: 'membership',
  params: ROOM_PARAMS,
  body: REMOVAL_BODY,
  reply: NOTHING,
  needs: ['rooms', 'streams'],
  handle({ params, body, caller, services }) {
    return changeMembership(services, {
      roomId: params.roomId,
      sender: caller.userId,
      target: body.user_id,
      action: 'ban',
      content: removalContent(body),
    });
  },
});
