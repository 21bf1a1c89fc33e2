import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_EVENT, EVENT_PARAMS } from './event-shapes.ts';
import { takeMemberEvent } from './take-member-event.ts';

/** A user of another server leaves a room, rejects an invite or takes back a knock through this server. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/federation/v2/send_leave/{roomId}/{eventId}',
  spec: 'Server-Server API v1.19, PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}',
  auth: 'server',
  rateLimit: null,
  params: EVENT_PARAMS,
  body: ANY_EVENT,
  reply: Type.Object({}),
  needs: ['cached', 'config', 'db', 'rooms', 'federation-receiver'],
  async handle({ params, body, caller, services }) {
    const expected = { ...params, membership: 'leave' } as const;
    const taken = await takeMemberEvent(services, caller.serverName, expected, body as JsonObject);
    return isRefusal(taken) ? taken : {};
  },
});
