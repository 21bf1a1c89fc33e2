import { Type } from 'typebox';
import { inviteOfVersion1 } from '../../../federation/memberships/invite-of-version-1.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { ANY_EVENT, EVENT_PARAMS } from './event-shapes.ts';
import { INVITE_DEADLINE_MS } from './invite-deadline.ts';

/** A user of another server invites one of this server into a room of version 1 or 2, which signs the invite. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/federation/v1/invite/{roomId}/{eventId}',
  spec: 'Server-Server API v1.19, PUT /_matrix/federation/v1/invite/{roomId}/{eventId}',
  auth: 'server',
  rateLimit: null,
  params: EVENT_PARAMS,
  body: ANY_EVENT,
  reply: Type.Tuple([Type.Integer(), Type.Object({ event: ANY_EVENT })]),
  needs: ['remote-rooms'],
  async handle({ params, body, caller, services }) {
    const invite = inviteOfVersion1(body as JsonObject);
    const signed = await services['remote-rooms'].ask(
      'remote-rooms.receive-invite',
      { ...params, origin: caller.serverName, ...invite },
      { deadlineMs: INVITE_DEADLINE_MS },
    );
    return isRefusal(signed) ? signed : reply(200, [200, { event: signed.event }]);
  },
});
