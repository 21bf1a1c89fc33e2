import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { refuseRoomId, refuseStateAt } from '../state-parameters.ts';
import { stateExplanationSchema } from '../state-schemas.ts';

/** Why an entry of the state after an event is what it is. `current` in place of the event id means the room's current state. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/rooms/{roomId}/state/{eventId}/why',
  spec: 'Troupe inspector v1: Why an entry of the state after an event ("current": of the current state) is what it is.',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String(), eventId: Type.String() }),
  query: Type.Object({ type: Type.String(), state_key: Type.Optional(Type.String()) }),
  reply: stateExplanationSchema,
  needs: ['inspector'],
  async handle({ params: { roomId, eventId }, query, services }) {
    const refusal = refuseRoomId('roomId', roomId) ?? refuseStateAt('eventId', eventId);
    if (refusal !== undefined) return refusal;
    const question = { roomId, at: eventId, type: query.type, stateKey: query.state_key ?? '' };
    const answer = await services.inspector.ask('inspector.explain-state', question);
    return isRefusal(answer) ? answer : reply(200, answer);
  },
});
