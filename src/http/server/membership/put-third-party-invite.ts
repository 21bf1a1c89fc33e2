import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { refuseServer } from './refuse-server.ts';

/** How long it may take: the invited user's server has to sign the invite. Milliseconds. */
const EXCHANGE_DEADLINE_MS = 90_000;

/** Makes an invite out of one by e-mail or telephone, whose user has been found. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/federation/v1/exchange_third_party_invite/{roomId}',
  spec: 'Server-Server API v1.19, PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  body: Type.Object({
    type: Type.String(),
    room_id: Type.String(),
    sender: Type.String(),
    state_key: Type.String(),
    content: Type.Object({
      membership: Type.String(),
      third_party_invite: Type.Record(Type.String(), Type.Unknown()),
    }),
  }),
  reply: Type.Object({}),
  needs: ['cached', 'config', 'remote-rooms'],
  async handle({ params, body, caller, services }) {
    const { roomId } = params;
    const { sender, state_key: target, content } = body;
    const isInvite = body.type === 'm.room.member' && content.membership === 'invite';
    if (!isInvite || body.room_id !== roomId)
      return refuse('M_INVALID_PARAM', `The event is no invite to ${roomId}.`);
    if (!isOfServer(sender, services.config.server.name))
      return refuse('M_INVALID_PARAM', 'The sender is not a user of this server.');
    const refused = await refuseServer(services.cached, roomId, caller.serverName);
    if (refused !== undefined) return refused;
    const invite = { third_party_invite: content.third_party_invite } as JsonObject;
    const sent = await services['remote-rooms'].ask(
      'remote-rooms.invite',
      { roomId, sender, target, content: invite },
      { deadlineMs: EXCHANGE_DEADLINE_MS },
    );
    return isRefusal(sent) ? sent : {};
  },
});
