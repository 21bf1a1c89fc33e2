import { Type } from 'typebox';
import { askForPublicRooms } from '../../../federation/queries/remote-directory.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { parseDirectoryServer } from './directory-server.ts';
import { PUBLIC_ROOMS_BODY, PUBLIC_ROOMS_REPLY, readFilteredRooms } from './public-rooms-body.ts';

/** The rooms of the public directory that a filter lets through. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/publicRooms',
  aliases: ['/_matrix/client/r0/publicRooms'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/publicRooms',
  auth: 'user',
  allows: ['guest', 'suspended'],
  rateLimit: 'reading',
  query: Type.Object({ server: Type.Optional(Type.String()) }),
  body: PUBLIC_ROOMS_BODY,
  reply: PUBLIC_ROOMS_REPLY,
  needs: ['cached', 'config', 'federationClient'],
  async handle({ query, body, services }) {
    const wanted = parseDirectoryServer(query.server, services.config.server.name);
    if (isRefusal(wanted)) return wanted;
    if (wanted.server !== null)
      return askForPublicRooms(services.federationClient, wanted.server, {}, body as JsonObject);
    return readFilteredRooms(services, body);
  },
});
