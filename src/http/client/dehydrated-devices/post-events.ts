import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { EVENTS_REPLY, readDehydratedEvents } from './read-events.ts';

/** What waits for the caller's dehydrated device, as older clients ask for it. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events',
  spec: 'MSC3814, as of 2023',
  auth: 'user',
  rateLimit: 'reading',
  params: Type.Object({ deviceId: Type.String() }),
  body: Type.Object({ next_batch: Type.Optional(Type.String()) }),
  reply: EVENTS_REPLY,
  needs: ['db'],
  handle: ({ params, body, caller, services }) =>
    readDehydratedEvents(services.db, caller.userId, params.deviceId, body.next_batch),
});
