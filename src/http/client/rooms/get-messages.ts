import { Type } from 'typebox';
import {
  findTopologicalPlace,
  ROOM_END,
  ROOM_START,
  type TopologicalPlace,
} from '../../../../db/rooms/timeline-reader.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import { findPlace, formatPlace } from '../../../sync/page-token.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { readRoomEventFilter } from '../filters/find-sync-filter.ts';
import { fetchHistory } from './fetch-history.ts';
import { HISTORY_EVENTS_MAX, historyTexts, memberTexts, readViewer } from './history.ts';
import { findRoomAccess, type RoomAccess } from './room-access.ts';
import { ANY_OBJECT, ROOM_PARAMS } from './room-params.ts';

const EVENTS_DEFAULT = 10;

/** The last place that the caller may read. */
async function endOf(services: ReadServices, roomId: string, access: RoomAccess): Promise<TopologicalPlace> {
  if (access.to === null) return ROOM_END;
  return (await findTopologicalPlace(services.db, roomId, access.to)) ?? ROOM_END;
}

async function placeOf(
  services: ReadServices,
  roomId: string,
  token: string | undefined,
  otherwise: TopologicalPlace,
): Promise<TopologicalPlace | Refusal> {
  return token === undefined || token === '' ? otherwise : findPlace(services.db, roomId, token);
}

/** A page of a room's history, as far as the caller may see it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/messages',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/messages'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/messages',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  query: Type.Object({
    dir: Type.Union([Type.Literal('b'), Type.Literal('f')]),
    from: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    filter: Type.Optional(Type.String()),
  }),
  reply: Type.Object({
    start: Type.String(),
    end: Type.Optional(Type.String()),
    chunk: Type.Array(ANY_OBJECT),
    state: Type.Optional(Type.Array(ANY_OBJECT)),
  }),
  needs: ['db', 'cached', 'streams', 'clock', 'federation-receiver'],
  async handle({ params, query, caller, services }) {
    const { roomId } = params;
    const filter = readRoomEventFilter(query.filter);
    if (isRefusal(filter)) return filter;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    const isBackward = query.dir === 'b';
    const end = await endOf(services, roomId, access);
    const from = await placeOf(services, roomId, query.from, isBackward ? end : ROOM_START);
    if (isRefusal(from)) return from;
    const until = await placeOf(services, roomId, query.to, isBackward ? ROOM_START : end);
    if (isRefusal(until)) return until;
    const { items, next } = await fetchHistory(services, {
      standing: access.standing,
      direction: isBackward ? 'backward' : 'forward',
      from,
      until,
      limit: Math.max(1, Math.min(query.limit ?? filter.limit ?? EVENTS_DEFAULT, HISTORY_EVENTS_MAX)),
      filter,
    });
    const viewer = await readViewer(services, caller, access.standing);
    const members = filter.lazyLoadMembers ? await memberTexts(services, caller, items) : [];
    return new JsonText(
      objectText([
        ['start', JSON.stringify(query.from ?? formatPlace(from))],
        ['end', next === null ? null : JSON.stringify(formatPlace(next))],
        ['chunk', listText(await historyTexts(services, viewer, items))],
        ['state', members.length === 0 ? null : listText(members)],
      ]),
    );
  },
});
