import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { EVENTS_REPLY, readDehydratedEvents } from './read-events.ts';

/** What waits for the caller's dehydrated device. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events',
  spec: 'MSC3814',
  auth: 'user',
  rateLimit: 'reading',
  params: Type.Object({ deviceId: Type.String() }),
  query: Type.Object({ from: Type.Optional(Type.String()) }),
  reply: EVENTS_REPLY,
  needs: ['db'],
  handle: ({ params, query, caller, services }) =>
    readDehydratedEvents(services.db, caller.userId, params.deviceId, query.from),
});
