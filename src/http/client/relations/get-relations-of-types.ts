import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { answerRelated, RELATED_QUERY, RELATED_REPLY } from './related-events.ts';

/** What relates to an event in one way, of one type. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}',
  aliases: ['/_matrix/client/unstable/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({
    roomId: Type.String(),
    eventId: Type.String(),
    relType: Type.String(),
    eventType: Type.String(),
  }),
  query: RELATED_QUERY,
  reply: RELATED_REPLY,
  needs: ['db', 'cached', 'streams', 'clock'],
  handle: ({ params, query, caller, services }) => answerRelated(services, caller, { ...params, query }),
});
