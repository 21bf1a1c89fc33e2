import { Type } from 'typebox';
import { readPublicRooms } from '../../../directory/public-rooms.ts';
import { askForPublicRooms } from '../../../federation/queries/remote-directory.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { parseDirectoryServer } from './directory-server.ts';
import { PUBLIC_ROOMS_REPLY, toPageBody } from './public-rooms-body.ts';

/** The rooms of the public directory. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/publicRooms',
  aliases: ['/_matrix/client/r0/publicRooms'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/publicRooms',
  auth: 'optional',
  allows: ['guest'],
  rateLimit: 'reading',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    since: Type.Optional(Type.String()),
    server: Type.Optional(Type.String()),
  }),
  reply: PUBLIC_ROOMS_REPLY,
  needs: ['cached', 'config', 'federationClient'],
  async handle({ query, caller, services }) {
    const { config } = services;
    if (caller === null && !config.rooms.directoryForEverybody)
      return refuse('M_MISSING_TOKEN', 'The public directory is for users of this server.');
    const wanted = parseDirectoryServer(query.server, config.server.name);
    if (isRefusal(wanted)) return wanted;
    if (wanted.server !== null) {
      // Who is not logged in does not make this server ask others.
      if (caller === null)
        return refuse('M_MISSING_TOKEN', 'Directories of other servers are for users of this one.');
      const { limit, since } = query;
      const parameters = {
        ...(limit !== undefined && { limit: String(limit) }),
        ...(since !== undefined && { since }),
      };
      return askForPublicRooms(services.federationClient, wanted.server, parameters, null);
    }
    const page = await readPublicRooms(services, {
      searchTerm: null,
      roomTypes: null,
      limit: query.limit ?? 0,
      since: query.since ?? null,
    });
    return isRefusal(page) ? page : toPageBody(page);
  },
});
