import { Type } from 'typebox';
import { findStateBefore } from '../../../federation/history/state-before.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { AT_EVENT } from '../history/history-schemas.ts';
import { findAskedEvent } from '../history/served-room.ts';
import { refusePartialState } from './refuse-partial-state.ts';

/** The ids of a room's state before an event. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/state_ids/{roomId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/state_ids/{roomId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  query: AT_EVENT,
  reply: Type.Object({ pdu_ids: Type.Array(Type.String()), auth_chain_ids: Type.Array(Type.String()) }),
  needs: ['cached', 'db', 'stateAnswers'],
  async handle({ params, query, caller, services }) {
    const event = await findAskedEvent(services, params.roomId, query.event_id, caller.serverName);
    if (isRefusal(event)) return event;
    const refused = await refusePartialState(services, params.roomId);
    if (refused !== undefined) return refused;
    const { db, stateAnswers } = services;
    const answer = await stateAnswers.answer(caller.serverName, `state_ids ${event.eventId}`, async () => {
      const state = await findStateBefore(db, event);
      if (state === undefined) return refuse('M_NOT_FOUND', 'The state before the event is not known here.');
      return JSON.stringify({ pdu_ids: state.stateIds, auth_chain_ids: state.authChainIds });
    });
    return isRefusal(answer) ? answer : new JsonText(answer);
  },
});
