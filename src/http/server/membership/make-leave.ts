import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { makeTemplate, MEMBER_PARAMS, TEMPLATE_REPLY } from './make-template.ts';
import { refuseHelpWhilePartial } from './refuse-partial.ts';

/** The template of a leave, for the user's server to sign: out of the room, of an invite or of a knock. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/make_leave/{roomId}/{userId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/make_leave/{roomId}/{userId}',
  auth: 'server',
  rateLimit: null,
  params: MEMBER_PARAMS,
  reply: TEMPLATE_REPLY,
  needs: ['cached', 'rooms'],
  async handle({ params, caller, services }) {
    const { roomId, userId } = params;
    const template = await makeTemplate(services.cached, caller.serverName, params, () =>
      services.rooms.ask('rooms.make-leave', { roomId, userId }),
    );
    // Who is not known here may well have something to leave.
    return isRefusal(template) ? ((await refuseHelpWhilePartial(services, roomId)) ?? template) : template;
  },
});
