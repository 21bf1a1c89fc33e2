import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findVisibleEvent } from './find-visible-event.ts';
import { historyTexts, readViewer } from './history.ts';
import { ANY_OBJECT } from './room-params.ts';

/** One event, if the caller may see it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/event/{eventId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/event/{eventId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: Type.Object({ roomId: Type.String(), eventId: Type.String() }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, caller, services }) {
    const found = await findVisibleEvent(services, caller.userId, params.roomId, params.eventId);
    if (found === undefined) return refuse('M_NOT_FOUND', 'There is no such event, or you may not see it.');
    const viewer = await readViewer(services, caller, found.standing);
    const [text = 'null'] = await historyTexts(services, viewer, [found]);
    return new JsonText(text);
  },
});
