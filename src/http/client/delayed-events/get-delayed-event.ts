import { Type } from 'typebox';
import { findDelayedEvent } from '../../../../db/delayed-events/reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { delayedEventJson, finalisedFields } from './event-json.ts';

/** One of the caller's own delayed events, and what became of it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}',
  spec: 'MSC4140, "Getting delayed events"',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: Type.Object({ delayId: Type.String() }),
  reply: ANY_OBJECT,
  needs: ['db'],
  async handle({ params, caller, services }) {
    const event = await findDelayedEvent(services.db, params.delayId);
    if (event?.userId !== caller.userId)
      return refuse('M_NOT_FOUND', 'You have no delayed event with this id.');
    return { ...delayedEventJson(event), ...finalisedFields(event) };
  },
});
