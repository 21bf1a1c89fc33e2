import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { PRESENCE, presenceOf } from './presence-values.ts';

/** The longest status message, in characters. */
const STATUS_MESSAGE_CHARACTERS_MAX = 1_024;

/** Says what to show of the caller's presence. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/presence/{userId}/status',
  aliases: ['/_matrix/client/r0/presence/{userId}/status'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/presence/{userId}/status',
  auth: 'user',
  rateLimit: 'ephemeral',
  params: Type.Object({ userId: Type.String() }),
  body: Type.Object({
    presence: PRESENCE,
    status_msg: Type.Optional(
      Type.Union([Type.String({ maxLength: STATUS_MESSAGE_CHARACTERS_MAX }), Type.Null()]),
    ),
  }),
  reply: NOTHING,
  needs: ['presence', 'streams'],
  async handle({ params, body, caller, services }) {
    if (params.userId !== caller.userId) return refuse('M_FORBIDDEN', 'You can set your own presence only.');
    const { epoch, position } = await services.presence.ask('presence.set-presence', {
      userId: caller.userId,
      presence: presenceOf(body.presence),
      statusMessage: body.status_msg ?? null,
    });
    await services.streams.reached('presence', position, epoch);
    return {};
  },
});
