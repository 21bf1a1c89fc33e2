import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { purgedSchema } from '../report-schemas.ts';

/** How long the answer is waited for; the deletion goes on all the same. */
const WAIT_MS_MAX = 60 * 60 * 1000;

/** Deletes a room, after its local users have left, and answers with what that gave back. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_troupe/inspector/v1/rooms/{roomId}',
  spec: 'Troupe inspector v1: Deletes a room, after its local users have left, and answers with what that gave back.',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  body: Type.Object({
    block: Type.Optional(Type.Boolean({ description: 'true keeps everybody from coming back' })),
  }),
  reply: purgedSchema,
  needs: ['inspector'],
  async handle({ params, body, services }) {
    const deletion = { roomId: params.roomId, isBlocked: body.block ?? false };
    const deleted = await services.inspector.ask('inspector.delete-room', deletion, {
      deadlineMs: WAIT_MS_MAX,
    });
    return isRefusal(deleted) ? deleted : reply(200, deleted);
  },
});
