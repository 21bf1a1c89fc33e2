import { Type } from 'typebox';
import { readPublicRooms } from '../../../directory/public-rooms.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { refuseOtherServer } from './directory-server.ts';
import { PUBLIC_ROOMS_REPLY, toPageBody } from './public-rooms-body.ts';

/** Types of rooms in one request. */
const ROOM_TYPES_MAX = 100;
/** The longest text to search for, in UTF-16 units. */
const SEARCH_TERM_LENGTH_MAX = 500;

const FILTER = Type.Object({
  generic_search_term: Type.Optional(
    Type.Union([Type.String({ maxLength: SEARCH_TERM_LENGTH_MAX }), Type.Null()]),
  ),
  room_types: Type.Optional(
    Type.Union([
      Type.Array(Type.Union([Type.String(), Type.Null()]), { maxItems: ROOM_TYPES_MAX }),
      Type.Null(),
    ]),
  ),
});

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
  body: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    since: Type.Optional(Type.String()),
    filter: Type.Optional(Type.Union([FILTER, Type.Null()])),
    include_all_networks: Type.Optional(Type.Boolean()),
    third_party_instance_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  }),
  reply: PUBLIC_ROOMS_REPLY,
  needs: ['cached', 'config'],
  async handle({ query, body, services }) {
    const other = refuseOtherServer(query.server, services.config.server.name);
    if (other !== undefined) return other;
    const network = body.third_party_instance_id ?? '';
    if (network !== '' && body.include_all_networks === true)
      return refuse('M_INVALID_PARAM', 'third_party_instance_id goes without include_all_networks.');
    // No network beside Matrix publishes rooms here.
    if (network !== '') return { chunk: [], total_room_count_estimate: 0 };
    const page = await readPublicRooms(services, {
      searchTerm: body.filter?.generic_search_term ?? null,
      roomTypes: body.filter?.room_types ?? null,
      limit: body.limit ?? 0,
      since: body.since ?? null,
    });
    return isRefusal(page) ? page : toPageBody(page);
  },
});
