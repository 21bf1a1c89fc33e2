import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { MANAGING_NEEDS, manageEvent } from './manage-event.ts';

/** Sends, cancels or restarts a delayed event in the older form, with the action in the body. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}',
  spec: 'MSC4140, "Management endpoint action in request body"',
  auth: 'optional',
  allows: ['guest', 'suspended'],
  rateLimit: 'message',
  params: Type.Object({ delayId: Type.String() }),
  body: Type.Object({
    action: Type.Union([Type.Literal('send'), Type.Literal('cancel'), Type.Literal('restart')]),
  }),
  reply: NOTHING,
  needs: MANAGING_NEEDS,
  handle: ({ params, body, services }) => manageEvent(services, params.delayId, body.action),
});
