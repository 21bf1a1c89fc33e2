import { Type } from 'typebox';
import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';

/** How long typing counts for a client that does not say, in milliseconds. */
const TYPING_TIMEOUT_MS_DEFAULT = 30_000;

/** Says that the caller types in a room, or has stopped. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/{roomId}/typing/{userId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/typing/{userId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}',
  auth: 'user',
  rateLimit: 'ephemeral',
  params: Type.Object({ roomId: Type.String(), userId: Type.String() }),
  body: Type.Object({ typing: Type.Boolean(), timeout: Type.Optional(Type.Integer({ minimum: 0 })) }),
  reply: NOTHING,
  needs: ['db', 'typing', 'streams'],
  async handle({ params, body, caller, services }) {
    const { roomId, userId } = params;
    if (userId !== caller.userId) return refuse('M_FORBIDDEN', 'You can type for yourself only.');
    const own = await findLocalMembership(services.db, userId, roomId);
    if (own?.membership !== 'join') return refuse('M_FORBIDDEN', 'You are not in this room.');
    const { epoch, position } = await services.typing.ask('typing.set-typing', {
      roomId,
      userId,
      isTyping: body.typing,
      timeoutMs: body.timeout ?? TYPING_TIMEOUT_MS_DEFAULT,
    });
    await services.streams.reached('typing', position, epoch);
    return {};
  },
});
