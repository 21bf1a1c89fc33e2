import { Type } from 'typebox';
import { readToldState } from '../../../federation/memberships/told-state.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_EVENT, EVENT_PARAMS } from './event-shapes.ts';
import { refuseHelpWhilePartial } from './refuse-partial.ts';
import { takeMemberEvent } from './take-member-event.ts';

/** A user of another server knocks on a room through this server, and is told what the room is. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/federation/v1/send_knock/{roomId}/{eventId}',
  spec: 'Server-Server API v1.19, PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}',
  auth: 'server',
  rateLimit: null,
  params: EVENT_PARAMS,
  body: ANY_EVENT,
  reply: Type.Object({ knock_room_state: Type.Array(ANY_EVENT) }),
  needs: ['cached', 'config', 'db', 'rooms', 'federation-receiver'],
  async handle({ params, body, caller, services }) {
    const refused = await refuseHelpWhilePartial(services, params.roomId);
    if (refused !== undefined) return refused;
    const expected = { ...params, membership: 'knock' } as const;
    const taken = await takeMemberEvent(services, caller.serverName, expected, body as JsonObject);
    if (isRefusal(taken)) return taken;
    return { knock_room_state: [...(await readToldState(services.db, params.roomId))] };
  },
});
