import { Type } from 'typebox';
import { readEventsByTime } from '../../../../db/rooms/directory-reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { refuseOutsider } from './served-room.ts';

/** The event of a room that is nearest to a time of day, for a server in the room: it knows all events of the room, if not what is in them. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/timestamp_to_event/{roomId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/timestamp_to_event/{roomId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  query: Type.Object({
    ts: Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    dir: Type.Union([Type.Literal('f'), Type.Literal('b')]),
  }),
  reply: Type.Object({ event_id: Type.String(), origin_server_ts: Type.Integer() }),
  needs: ['cached', 'db'],
  async handle({ params, query, caller, services }) {
    const { roomId } = params;
    const refused = await refuseOutsider(services, roomId, caller.serverName);
    if (refused !== undefined) return refused;
    const isForward = query.dir === 'f';
    // Events of that very time count in both directions.
    const position = isForward ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
    const direction = isForward ? 'forward' : 'backward';
    const [found] = await readEventsByTime(services.db, roomId, direction, { ts: query.ts, position }, 1);
    if (found === undefined) return refuse('M_NOT_FOUND', 'There is no event in this direction.');
    return { event_id: found.eventId, origin_server_ts: found.originServerTs };
  },
});
