import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { answerRelated, RELATED_QUERY, RELATED_REPLY } from './related-events.ts';

/** What relates to an event. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/rooms/{roomId}/relations/{eventId}',
  aliases: ['/_matrix/client/unstable/rooms/{roomId}/relations/{eventId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String(), eventId: Type.String() }),
  query: RELATED_QUERY,
  reply: RELATED_REPLY,
  needs: ['db', 'cached', 'streams', 'clock'],
  handle: ({ params, query, caller, services }) =>
    answerRelated(services, caller, { ...params, relType: null, eventType: null, query }),
});
