import { type Static, Type } from 'typebox';
import { type PublicRoomsPage, readPublicRooms } from '../../../directory/public-rooms.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

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

/** Which rooms of the public directory are wanted; of clients and servers alike. */
export const PUBLIC_ROOMS_BODY = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  since: Type.Optional(Type.String()),
  filter: Type.Optional(Type.Union([FILTER, Type.Null()])),
  include_all_networks: Type.Optional(Type.Boolean()),
  third_party_instance_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});

/** A page of the public directory. */
export const PUBLIC_ROOMS_REPLY = Type.Object({
  chunk: Type.Array(ANY_OBJECT),
  next_batch: Type.Optional(Type.String()),
  prev_batch: Type.Optional(Type.String()),
  total_room_count_estimate: Type.Optional(Type.Integer()),
});

/** The body of an answer with a page of the public directory. */
export function toPageBody(page: PublicRoomsPage): Omit<PublicRoomsPage, 'kind' | 'chunk'> & {
  readonly chunk: PublicRoomsPage['chunk'][number][];
} {
  const { kind: _, chunk, ...tokens } = page;
  return { chunk: [...chunk], ...tokens };
}

/** A page of this server's directory for a body with a filter. */
export async function readFilteredRooms(
  services: Pick<Services, 'cached'>,
  body: Static<typeof PUBLIC_ROOMS_BODY>,
): Promise<ReturnType<typeof toPageBody> | Refusal> {
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
}
