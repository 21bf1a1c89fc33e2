import { Type } from 'typebox';
import { readPublicRooms } from '../../../directory/public-rooms.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { PUBLIC_ROOMS_REPLY, toPageBody } from '../../client/directory/public-rooms-body.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { DIRECTORY_CLOSED } from './directory-closed.ts';

/** The rooms of this server's public directory. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/publicRooms',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/publicRooms',
  auth: 'server',
  rateLimit: null,
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    since: Type.Optional(Type.String()),
    include_all_networks: Type.Optional(Type.Boolean()),
    third_party_instance_id: Type.Optional(Type.String()),
  }),
  reply: PUBLIC_ROOMS_REPLY,
  needs: ['cached', 'config'],
  async handle({ query, services }) {
    if (!services.config.rooms.directoryForEverybody) return DIRECTORY_CLOSED;
    // No network beside Matrix publishes rooms here.
    if ((query.third_party_instance_id ?? '') !== '') return { chunk: [], total_room_count_estimate: 0 };
    const page = await readPublicRooms(services, {
      searchTerm: null,
      roomTypes: null,
      limit: query.limit ?? 0,
      since: query.since ?? null,
    });
    return isRefusal(page) ? page : toPageBody(page);
  },
});
