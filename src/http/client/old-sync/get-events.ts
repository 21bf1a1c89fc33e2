import { Type } from 'typebox';
import { readEventRows } from '../../../../db/rooms/stream-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import type { WakeKey } from '../../../streams/stream.ts';
import { formatToken, parseToken, positionIn, type SyncToken } from '../../../streams/token.ts';
import { admitToken } from '../../../streams/token-admission.ts';
import { SYNC_TIMEOUT_MS_MAX } from '../../../sync/answer-sync.ts';
import { ignoredUsersCache } from '../../../sync/caches/ignored-users.ts';
import { roomsOfUserCache } from '../../../sync/caches/rooms-of-user.ts';
import { eventText } from '../../../sync/event-text.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import { withPosition } from '../../../sync/sync-range.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { makeTurnTaker } from '../../../sync/yield-turn.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findVisibleEvent } from '../rooms/find-visible-event.ts';
import { findRoomAccess } from '../rooms/room-access.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** Events of all rooms that are looked at, at once. */
const PAGE_EVENTS = 200;
/** Events of all rooms that are looked at for one answer: a client that is far behind gets there in several. */
const LOOK_AT_MAX = 5_000;
const TIMEOUT_MS_DEFAULT = 10_000;
const EVENTS = 'events';

/** Which rooms are listened to: one that is named, or all that the user has joined. */
async function roomIdsOf(
  services: ReadServices,
  userId: string,
  roomId: string | undefined,
): Promise<ReadonlySet<string>> {
  if (roomId !== undefined) return new Set([roomId]);
  const rooms = await services.cached.get(roomsOfUserCache, userId);
  return new Set(rooms.filter(({ membership }) => membership === 'join').map((room) => room.roomId));
}

interface Chunk {
  readonly texts: readonly string[];
  readonly end: SyncToken;
}

/** The events of the rooms after a token, as far as the user may see them. */
async function readChunk(
  services: ReadServices,
  caller: SyncCaller,
  roomIds: ReadonlySet<string>,
  since: SyncToken,
): Promise<Chunk> {
  const now = services.streams.now();
  const ignored = await services.cached.get(ignoredUsersCache, caller.userId);
  const to = positionIn(now, EVENTS).position;
  const texts: string[] = [];
  const giveWay = makeTurnTaker();
  let from = positionIn(since, EVENTS).position;
  for (let lookedAt = 0; lookedAt < LOOK_AT_MAX && from < to && texts.length === 0; lookedAt += PAGE_EVENTS) {
    const page = await readEventRows(services.db, from, to, PAGE_EVENTS);
    for (const { row } of page.rows) {
      if (row.kind !== 'event' || !roomIds.has(row.roomId)) continue;
      const found = await findVisibleEvent(services, caller.userId, row.roomId, row.eventId);
      await giveWay();
      if (found === undefined) continue;
      const { event, membership } = found;
      if (event.stateKey === null && ignored.has(event.sender)) continue;
      texts.push(await eventText(services, caller, event, { includeRoomId: true, membership }));
    }
    from = page.to;
  }
  return { texts, end: withPosition(now, EVENTS, from) };
}

/** What happens in a user's rooms, or in one room: waits when nothing does. What clients asked before there was sync. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/events',
  aliases: ['/_matrix/client/r0/events'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/events',
  auth: 'user',
  allows: ['guest'],
  rateLimit: null,
  query: Type.Object({
    from: Type.Optional(Type.String()),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
    room_id: Type.Optional(Type.String()),
  }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ query, caller, services, aborted }) {
    const { streams, clock } = services;
    const { userId } = caller;
    if (query.room_id !== undefined) {
      const access = await findRoomAccess(services, userId, query.room_id);
      if (isRefusal(access)) return access;
    }
    const asked = query.from === undefined || query.from === '' ? streams.now() : parseToken(query.from);
    if (isRefusal(asked)) return asked;
    const since = await admitToken(asked, streams, services.db);
    const endsAt = clock.monotonic() + Math.min(query.timeout ?? TIMEOUT_MS_DEFAULT, SYNC_TIMEOUT_MS_MAX);
    let roomIds = await roomIdsOf(services, userId, query.room_id);
    let chunk = await readChunk(services, caller, roomIds, since);
    while (chunk.texts.length === 0 && !aborted.aborted) {
      const remainingMs = endsAt - clock.monotonic();
      if (remainingMs <= 0) break;
      const keys: WakeKey[] = [`user:${userId}`, ...[...roomIds].map((roomId) => `room:${roomId}` as const)];
      const parked = streams.park(keys, chunk.end, remainingMs);
      const cancel = (): void => parked.cancel();
      aborted.addEventListener('abort', cancel, { once: true });
      const outcome = await parked.outcome;
      aborted.removeEventListener('abort', cancel);
      if (outcome !== 'woken') break;
      roomIds = await roomIdsOf(services, userId, query.room_id);
      chunk = await readChunk(services, caller, roomIds, chunk.end);
    }
    return new JsonText(
      objectText([
        ['start', JSON.stringify(query.from ?? formatToken(since))],
        ['end', JSON.stringify(formatToken(chunk.end))],
        ['chunk', listText(chunk.texts)],
      ]),
    );
  },
});
