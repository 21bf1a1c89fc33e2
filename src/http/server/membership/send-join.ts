import { Type } from 'typebox';
import { readHostsOfRoom } from '../../../../db/rooms/hosts-reader.ts';
import { buildJoinAnswer } from '../../../federation/memberships/join-answer.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { ANY_EVENT, EVENT_PARAMS } from './event-shapes.ts';
import { refuseHelpWhilePartial } from './refuse-partial.ts';
import { takeMemberEvent } from './take-member-event.ts';

/** A user of another server joins a room through this one: its server learns the state of the room. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/federation/v2/send_join/{roomId}/{eventId}',
  spec: 'Server-Server API v1.19, PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}',
  auth: 'server',
  rateLimit: null,
  params: EVENT_PARAMS,
  query: Type.Object({ omit_members: Type.Optional(Type.Boolean()) }),
  body: ANY_EVENT,
  reply: Type.Object({
    event: ANY_EVENT,
    state: Type.Array(ANY_EVENT),
    auth_chain: Type.Array(ANY_EVENT),
    members_omitted: Type.Boolean(),
    servers_in_room: Type.Optional(Type.Array(Type.String())),
  }),
  needs: ['cached', 'config', 'db', 'rooms', 'federation-receiver', 'stateAnswers'],
  async handle({ params, query, body, caller, services }) {
    const { db, stateAnswers } = services;
    const refused = await refuseHelpWhilePartial(services, params.roomId);
    if (refused !== undefined) return refused;
    const { serverName } = caller;
    const refusedForNow = stateAnswers.refuseNow(serverName);
    if (refusedForNow !== undefined) return refusedForNow;
    const hosts = await readHostsOfRoom(db, params.roomId);
    const expected = { ...params, membership: 'join' } as const;
    const taken = await takeMemberEvent(services, serverName, expected, body as JsonObject);
    if (isRefusal(taken)) return taken;
    const mayOmitMembers = query.omit_members ?? false;
    // Refused here, it is in the room all the same, and gets the answer when it asks again.
    const answer = await stateAnswers.work(serverName, () =>
      buildJoinAnswer(db, taken.event, { mayOmitMembers, hosts }),
    );
    return isRefusal(answer) ? answer : new JsonText(answer);
  },
});
