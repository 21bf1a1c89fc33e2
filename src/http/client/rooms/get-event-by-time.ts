import { Type } from 'typebox';
import { readEventsByTime, type TimedEvent } from '../../../../db/rooms/directory-reader.ts';
import { findEvent } from '../../../../db/rooms/event-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { findClientEvent } from '../../../sync/event-text.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { makeVisibilityCheck, type Standing, type VisibilityCheck } from '../../../sync/visibility.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { askForEventByTime, fetchHistory } from './ask-for-event-by-time.ts';
import { toTimelineEntry } from './find-visible-event.ts';
import { findRoomAccess } from './room-access.ts';
import { ROOM_PARAMS } from './room-params.ts';

/** Events that are looked at for one answer, however few of them the caller may see. */
const LOOK_AT_MAX = 2_000;
/** How many events are read at once. */
const PAGE_EVENTS = 50;

async function isVisible(services: ReadServices, check: VisibilityCheck, eventId: string): Promise<boolean> {
  const stored = await findEvent(services.db, eventId);
  const entry = stored === undefined ? undefined : toTimelineEntry(stored);
  const event = entry === undefined ? undefined : await findClientEvent(services, eventId);
  return entry !== undefined && event !== undefined && (await check(entry, event)).isVisible;
}

/** The event nearest to a time that the user may see. */
async function findNearest(
  services: ReadServices,
  standing: Standing,
  ts: number,
  direction: 'forward' | 'backward',
): Promise<TimedEvent | undefined> {
  const check = makeVisibilityCheck(services, standing);
  // Events of that very time count in both directions.
  let from = {
    ts,
    position: direction === 'forward' ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER,
  };
  for (let lookedAt = 0; lookedAt < LOOK_AT_MAX; lookedAt += PAGE_EVENTS) {
    const page = await readEventsByTime(services.db, standing.roomId, direction, from, PAGE_EVENTS);
    for (const event of page) if (await isVisible(services, check, event.eventId)) return event;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_EVENTS) return undefined;
    from = { ts: last.originServerTs, position: last.position };
  }
  return undefined;
}

/** The event of a room that is nearest to a time of day; where history is missing here, other servers are asked. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/rooms/{roomId}/timestamp_to_event',
  aliases: ['/_matrix/client/unstable/org.matrix.msc3030/rooms/{roomId}/timestamp_to_event'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  query: Type.Object({
    ts: Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    dir: Type.Union([Type.Literal('f'), Type.Literal('b')]),
  }),
  reply: Type.Object({ event_id: Type.String(), origin_server_ts: Type.Integer() }),
  needs: ['db', 'cached', 'streams', 'clock', 'config', 'federationClient', 'federation-receiver'],
  async handle({ params, query, caller, services }) {
    const access = await findRoomAccess(services, caller.userId, params.roomId);
    if (isRefusal(access)) return access;
    const direction = query.dir === 'f' ? 'forward' : 'backward';
    let found = await findNearest(services, access.standing, query.ts, direction);
    const wish = { roomId: params.roomId, ts: query.ts, direction } as const;
    const nearer = await askForEventByTime(services, wish, found);
    const check = makeVisibilityCheck(services, access.standing);
    // Whatever another server says: what is shown is an event that is here now, and that the user may see.
    if (nearer !== undefined && (await isVisible(services, check, nearer.eventId)))
      return { event_id: nearer.eventId, origin_server_ts: nearer.originServerTs };
    // It is here, but not in the timeline: perhaps it is with some more history.
    if (nearer !== undefined && (await fetchHistory(services, params.roomId)))
      found = await findNearest(services, access.standing, query.ts, direction);
    if (found === undefined)
      return refuse('M_NOT_FOUND', 'There is no event in this direction that you may see.');
    return { event_id: found.eventId, origin_server_ts: found.originServerTs };
  },
});
