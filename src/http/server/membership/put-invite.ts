import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_EVENT, EVENT_PARAMS } from './event-shapes.ts';
import { INVITE_DEADLINE_MS } from './invite-deadline.ts';

/** A user of another server invites one of this server, which signs the invite. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/federation/v2/invite/{roomId}/{eventId}',
  spec: 'Server-Server API v1.19, PUT /_matrix/federation/v2/invite/{roomId}/{eventId}',
  auth: 'server',
  rateLimit: null,
  params: EVENT_PARAMS,
  body: Type.Object({
    room_version: Type.String(),
    event: ANY_EVENT,
    invite_room_state: Type.Optional(Type.Array(ANY_EVENT)),
  }),
  reply: Type.Object({ event: ANY_EVENT }),
  needs: ['remote-rooms'],
  async handle({ params, body, caller, services }) {
    const signed = await services['remote-rooms'].ask(
      'remote-rooms.receive-invite',
      {
        ...params,
        origin: caller.serverName,
        roomVersion: body.room_version,
        event: body.event as JsonObject,
        roomState: (body.invite_room_state ?? []) as JsonObject[],
      },
      { deadlineMs: INVITE_DEADLINE_MS },
    );
    return isRefusal(signed) ? signed : { event: signed.event };
  },
});
