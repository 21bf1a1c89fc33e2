import { Type } from 'typebox';
import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findVisibleEvent } from '../rooms/find-visible-event.ts';
import { NOTHING } from '../rooms/room-params.ts';

/** One answer for an event that is not there, that the caller may not see, and for who is not in the room. */
const NOT_FOUND = refuse('M_NOT_FOUND', 'The event was not found, or you are not in the room.');

/** Tells the administrators of an event in a room that the caller has joined. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/report/{eventId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/report/{eventId}'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}',
  auth: 'user',
  rateLimit: 'membership',
  params: Type.Object({ roomId: Type.String(), eventId: Type.String() }),
  body: Type.Object({
    reason: Type.Optional(Type.String()),
    score: Type.Optional(Type.Integer({ minimum: -100, maximum: 0 })),
  }),
  reply: NOTHING,
  needs: ['cached', 'clock', 'db', 'reports', 'streams'],
  async handle({ params, body, caller, services }) {
    const { roomId, eventId } = params;
    const { userId: reporter } = caller;
    const own = await findLocalMembership(services.db, reporter, roomId);
    if (own?.membership !== 'join') return NOT_FOUND;
    if ((await findVisibleEvent(services, reporter, roomId, eventId)) === undefined) return NOT_FOUND;
    const subject = { kind: 'event', roomId, eventId, score: body.score ?? null } as const;
    const stored = await services.reports.ask('reports.store', {
      reporter,
      subject,
      reason: body.reason ?? '',
    });
    return isRefusal(stored) ? stored : {};
  },
});
