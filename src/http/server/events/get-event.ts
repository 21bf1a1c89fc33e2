import { Type } from 'typebox';
import { findEvent } from '../../../../db/rooms/event-reader.ts';
import { isRefused } from '../../../federation/history/walk-history.ts';
import { mayTakePart } from '../../../federation/server-acl.ts';
import { visibleToServer } from '../../../federation/visible-to-server.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { ANY_PDU } from '../history/history-schemas.ts';

/** One event, as far as the asking server may see it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/event/{eventId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/event/{eventId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ eventId: Type.String() }),
  reply: Type.Object({
    origin: Type.String(),
    origin_server_ts: Type.Integer(),
    pdus: Type.Array(ANY_PDU),
  }),
  needs: ['cached', 'clock', 'config', 'db'],
  async handle({ params, caller, services }) {
    const { serverName } = caller;
    const event = await findEvent(services.db, params.eventId);
    const isOpen =
      event !== undefined &&
      !isRefused(event) &&
      (await mayTakePart(services.cached, event.roomId, serverName));
    const [served] = isOpen ? await visibleToServer(services, serverName, [event]) : [];
    if (served === undefined)
      return refuse('M_NOT_FOUND', 'There is no such event, or your server may not see it.');
    return reply(200, {
      origin: services.config.server.name,
      origin_server_ts: services.clock.now(),
      pdus: [served.pdu],
    });
  },
});
