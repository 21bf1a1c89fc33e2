import { Type } from 'typebox';
import { findEvent } from '../../../../db/rooms/event-reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findVisibleEvent } from '../rooms/find-visible-event.ts';
import { historyTexts, readViewer } from '../rooms/history.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** An event by its id alone. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/events/{eventId}',
  aliases: ['/_matrix/client/r0/events/{eventId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/events/{eventId}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: Type.Object({ eventId: Type.String() }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, caller, services }) {
    const stored = await findEvent(services.db, params.eventId);
    const found = stored && (await findVisibleEvent(services, caller.userId, stored.roomId, params.eventId));
    if (found === undefined) return refuse('M_NOT_FOUND', 'There is no such event, or you may not see it.');
    const viewer = await readViewer(services, caller, found.standing);
    const [text = 'null'] = await historyTexts(services, viewer, [found]);
    return new JsonText(text);
  },
});
