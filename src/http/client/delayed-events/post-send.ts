import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { MANAGING_NEEDS, manageEvent } from './manage-event.ts';

/** Sends a delayed event now. Who knows the id may, with or without an access token. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/send',
  spec: 'MSC4140, "Managing scheduled delayed events"',
  auth: 'optional',
  allows: ['guest', 'suspended'],
  rateLimit: 'message',
  params: Type.Object({ delayId: Type.String() }),
  reply: NOTHING,
  needs: MANAGING_NEEDS,
  handle: ({ params, services }) => manageEvent(services, params.delayId, 'send'),
});
