import { Type } from 'typebox';
import { readEvents } from '../../../../db/rooms/event-reader.ts';
import { walkBack } from '../../../federation/history/walk-history.ts';
import { visibleToServer } from '../../../federation/visible-to-server.ts';
import { edgeIds, type Pdu } from '../../../matrix/events/pdu.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { ANY_PDU } from './history-schemas.ts';
import { findAskedEvent, refuseOutsider } from './served-room.ts';

/** Events of one answer. */
export const MISSING_EVENTS_MAX = 50;
/** Server-Server API v1.19, `POST /get_missing_events/{roomId}`. */
const MISSING_EVENTS_DEFAULT = 10;
/** Ids of one list that are looked at. */
const IDS_MAX = 200;

/** The events between those that a server has and those that it was given. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/federation/v1/get_missing_events/{roomId}',
  spec: 'Server-Server API v1.19, POST /_matrix/federation/v1/get_missing_events/{roomId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  body: Type.Object({
    earliest_events: Type.Array(Type.String()),
    latest_events: Type.Array(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    min_depth: Type.Optional(Type.Integer()),
  }),
  reply: Type.Object({ events: Type.Array(ANY_PDU) }),
  needs: ['cached', 'db'],
  async handle({ params, body, caller, services }) {
    const { roomId } = params;
    const { serverName } = caller;
    const latest = body.latest_events.slice(0, IDS_MAX);
    const [first] = latest;
    const refused = await refuseOutsider(services, roomId, serverName);
    if (refused !== undefined) {
      // Who was made to leave may look at what came before that.
      const asked = first === undefined ? refused : await findAskedEvent(services, roomId, first, serverName);
      if (isRefusal(asked)) return asked;
    }
    const from: string[] = [];
    for (const event of (await readEvents(services.db, latest)).values())
      if (event.roomId === roomId) from.push(...edgeIds((JSON.parse(event.pdu) as Pdu).prev_events));
    const { min_depth: minDepth = 0, limit = MISSING_EVENTS_DEFAULT } = body;
    const events = await walkBack(services.db, roomId, {
      from,
      stopAt: new Set([...body.earliest_events.slice(0, IDS_MAX), ...latest]),
      limit: Math.min(limit, MISSING_EVENTS_MAX),
      isGiven: ({ depth }) => depth >= minDepth,
    });
    const served = await visibleToServer(services, serverName, events);
    return reply(200, { events: served.map(({ pdu }) => pdu) });
  },
});
