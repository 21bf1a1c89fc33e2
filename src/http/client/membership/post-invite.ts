import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING, ROOM_PARAMS } from '../rooms/room-params.ts';
import { inviteElsewhere, isOfOtherServer } from './change-elsewhere.ts';
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
  body: Type.Object({
    user_id: Type.Optional(Type.String()),
    reason: Type.Optional(Type.String()),
    medium: Type.Optional(Type.String()),
    address: Type.Optional(Type.String()),
  }),
  reply: NOTHING,
  needs: ['config', 'db', 'remote-rooms', 'rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const { user_id: invited } = body;
    if (invited === undefined)
      return body.medium === undefined && body.address === undefined
        ? refuse('M_MISSING_PARAM', 'user_id is missing.')
        : refuse('M_THREEPID_DENIED', 'This server does not invite by e-mail or telephone.');
    const profile = await profileContent(services.db, services.config.server.name, invited);
    const { roomId } = params;
    const sender = caller.userId;
    const content = { ...profile, ...reasonContent(body.reason) };
    if (isOfOtherServer(invited, services.config.server.name))
      return inviteElsewhere(services, { roomId, sender, target: invited, content });
    return changeMembership(services, { roomId, sender, target: invited, action: 'invite', content });
  },
});
