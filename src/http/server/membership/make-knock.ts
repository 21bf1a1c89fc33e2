import { defineEndpoint } from '../../kit/endpoint.ts';
import { makeTemplate, MEMBER_PARAMS, TEMPLATE_REPLY, VERSIONS_QUERY } from './make-template.ts';
import { refuseHelpWhilePartial } from './refuse-partial.ts';

/** The template of a knock, for the user's server to sign. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/make_knock/{roomId}/{userId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/make_knock/{roomId}/{userId}',
  auth: 'server',
  rateLimit: null,
  params: MEMBER_PARAMS,
  query: VERSIONS_QUERY,
  reply: TEMPLATE_REPLY,
  needs: ['cached', 'rooms'],
  async handle({ params, query, caller, services }) {
    const { roomId, userId } = params;
    const refused = await refuseHelpWhilePartial(services, roomId);
    if (refused !== undefined) return refused;
    return makeTemplate(services.cached, caller.serverName, params, () =>
      services.rooms.ask('rooms.make-knock', { roomId, userId, versions: query.ver ?? [] }),
    );
  },
});
