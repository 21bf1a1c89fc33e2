import { Type } from 'typebox';
import { readAuthChain, readServedTexts } from '../../../federation/served-pdus.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { ANY_PDU, ROOM_AND_EVENT } from '../history/history-schemas.ts';
import { findAskedEvent } from '../history/served-room.ts';

/** All that authorises an event. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/event_auth/{roomId}/{eventId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}',
  auth: 'server',
  rateLimit: null,
  params: ROOM_AND_EVENT,
  reply: Type.Object({ auth_chain: Type.Array(ANY_PDU) }),
  needs: ['cached', 'db', 'stateAnswers'],
  async handle({ params, caller, services }) {
    const { roomId, eventId } = params;
    const event = await findAskedEvent(services, roomId, eventId, caller.serverName);
    if (isRefusal(event)) return event;
    const answer = await services.stateAnswers.answer(
      caller.serverName,
      `event_auth ${eventId}`,
      async () => {
        const chain = [...(await readAuthChain(services.db, [eventId]))];
        const texts = await readServedTexts(services.db, chain);
        return `{"auth_chain":[${texts.join(',')}]}`;
      },
    );
    return isRefusal(answer) ? answer : new JsonText(answer);
  },
});
