import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { DIFFERENCE_LIMIT_MAX } from '../../../state-resolution/explanation.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { refuseRoomId, refuseStateAt } from '../state-parameters.ts';
import { stateDifferenceSchema } from '../state-schemas.ts';

/** Changes of one page when nobody says how many. */
const LIMIT_BY_DEFAULT = 100;

/** In what the states after two events differ. `current` in place of an event id means the room's current state. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/rooms/{roomId}/state/diff',
  spec: 'Troupe inspector v1: In what the states after two events ("current": the current state) differ.',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  query: Type.Object({
    from: Type.String(),
    to: Type.String(),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: DIFFERENCE_LIMIT_MAX })),
    offset: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  reply: stateDifferenceSchema,
  needs: ['inspector'],
  async handle({ params: { roomId }, query, services }) {
    const { from, to, limit = LIMIT_BY_DEFAULT, offset = 0 } = query;
    const refusal = refuseRoomId('roomId', roomId) ?? refuseStateAt('from', from) ?? refuseStateAt('to', to);
    if (refusal !== undefined) return refusal;
    const question = { roomId, from, to, limit, offset };
    const answer = await services.inspector.ask('inspector.diff-states', question);
    return isRefusal(answer) ? answer : reply(200, answer);
  },
});
