import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING, ROOM_PARAMS } from '../rooms/room-params.ts';
import { changeMembership } from './change-membership.ts';
import { profileContent, reasonContent } from './member-content.ts';

/** Invites a user into a room. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/invite',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/invite'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/invite',
  auth: 'user',
  rateLimit: 'membership',
  params: ROOM_PARAMS,
  body: Type.Object({ user_id: Type.String(), reason: Type.Optional(Type.String()) }),
  reply: NOTHING,
  needs: ['config', 'db', 'rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const profile = await profileContent(services.db, services.config.server.name, body.user_id);
    return changeMembership(services, {
      roomId: params.roomId,
      sender: caller.userId,
      target: body.user_id,
      action: 'invite',
      content: { ...profile, ...reasonContent(body.reason) },
    });
  },
});
