import { Type } from 'typebox';
import { visibleToServer } from '../../../federation/visible-to-server.ts';
import { walkBack } from '../../../federation/history/walk-history.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { refuseOutsider } from './served-room.ts';
import { ANY_PDU } from './history-schemas.ts';

/** Events of one answer. */
export const BACKFILL_EVENTS_MAX = 100;
/** Events from which one walk begins. */
const STARTS_MAX = 50;

/** What came before some events of a room, and they themselves. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/backfill/{roomId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/backfill/{roomId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  query: Type.Object({ v: Type.Array(Type.String()), limit: Type.Integer({ minimum: 0 }) }),
  reply: Type.Object({
    origin: Type.String(),
    origin_server_ts: Type.Integer(),
    pdus: Type.Array(ANY_PDU),
  }),
  needs: ['cached', 'clock', 'config', 'db'],
  async handle({ params, query, caller, services }) {
    const { roomId } = params;
    const { serverName } = caller;
    const refused = await refuseOutsider(services, roomId, serverName);
    if (refused !== undefined) return refused;
    const events = await walkBack(services.db, roomId, {
      from: query.v.slice(0, STARTS_MAX),
      stopAt: new Set(),
      limit: Math.min(query.limit, BACKFILL_EVENTS_MAX),
      // As history they would be shown to users, which they never were here.
      isGiven: ({ rejection }) => rejection === null,
    });
    const served = await visibleToServer(services, serverName, events);
    return reply(200, {
      origin: services.config.server.name,
      origin_server_ts: services.clock.now(),
      pdus: served.map(({ pdu }) => pdu),
    });
  },
});
