import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { purgedSchema } from '../report-schemas.ts';

/** How long the answer is waited for; the purge goes on all the same. */
const WAIT_MS_MAX = 60 * 60 * 1000;

/** Deletes the history of a room before an event or a moment, and answers with what that gave back. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_troupe/inspector/v1/rooms/{roomId}/purge',
  spec: 'Troupe inspector v1: Deletes the history of a room before an event or a moment, and answers with what that gave back.',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  body: Type.Object({
    before_event_id: Type.Optional(Type.String()),
    before_ts: Type.Optional(Type.Integer({ description: 'milliseconds since the Unix epoch' })),
    delete_local_events: Type.Optional(
      Type.Boolean({ description: 'false, as when absent, keeps what users of this server have sent' }),
    ),
  }),
  reply: purgedSchema,
  needs: ['inspector'],
  async handle({ params, body, services }) {
    const { before_event_id: beforeEventId = null, before_ts: beforeTs = null } = body;
    if ((beforeEventId === null) === (beforeTs === null))
      return refuse('M_BAD_JSON', 'one of "before_event_id" and "before_ts" says where to stop');
    const deleteLocalEvents = body.delete_local_events ?? false;
    const purge = { roomId: params.roomId, beforeEventId, beforeTs, deleteLocalEvents };
    const purged = await services.inspector.ask('inspector.purge-room', purge, { deadlineMs: WAIT_MS_MAX });
    return isRefusal(purged) ? purged : reply(200, purged);
  },
});
