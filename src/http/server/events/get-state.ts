import { Type } from 'typebox';
import { findStateBefore } from '../../../federation/history/state-before.ts';
import { readServedTexts } from '../../../federation/served-pdus.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { ANY_PDU, AT_EVENT } from '../history/history-schemas.ts';
import { findAskedEvent } from '../history/served-room.ts';
import { refusePartialState } from './refuse-partial-state.ts';

/** A room's state before an event. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/state/{roomId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/state/{roomId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  query: AT_EVENT,
  reply: Type.Object({ pdus: Type.Array(ANY_PDU), auth_chain: Type.Array(ANY_PDU) }),
  needs: ['cached', 'db', 'stateAnswers'],
  async handle({ params, query, caller, services }) {
    const event = await findAskedEvent(services, params.roomId, query.event_id, caller.serverName);
    if (isRefusal(event)) return event;
    const refused = await refusePartialState(services, params.roomId);
    if (refused !== undefined) return refused;
    const { db, stateAnswers } = services;
    const answer = await stateAnswers.answer(caller.serverName, `state ${event.eventId}`, async () => {
      const state = await findStateBefore(db, event);
      if (state === undefined) return refuse('M_NOT_FOUND', 'The state before the event is not known here.');
      const pdus = await readServedTexts(db, state.stateIds);
      const chain = await readServedTexts(db, state.authChainIds);
      return `{"pdus":[${pdus.join(',')}],"auth_chain":[${chain.join(',')}]}`;
    });
    return isRefusal(answer) ? answer : new JsonText(answer);
  },
});
