import { Type } from 'typebox';
import { ROOM_END, ROOM_START } from '../../../../db/rooms/timeline-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { matchesRoomEvent } from '../../../matrix/sync-filter.ts';
import { eventText, getClientEvent } from '../../../sync/event-text.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import { formatPlace, placeBefore } from '../../../sync/page-token.ts';
import { readStateAtPosition } from '../../../sync/room-state.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { readStanding } from '../../../sync/visibility.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { readRoomEventFilter } from '../filters/find-sync-filter.ts';
import { findVisibleEvent, toTimelineEntry } from './find-visible-event.ts';
import { HISTORY_EVENTS_MAX, type HistoryItem, historyTexts, readHistory } from './history.ts';
import { ANY_OBJECT } from './room-params.ts';

const EVENTS_DEFAULT = 10;
const NOW = Number.MAX_SAFE_INTEGER;

/** The state after the last of some events; of members only the senders' when they are loaded lazily. */
async function stateTexts(
  services: ReadServices,
  caller: SyncCaller,
  items: readonly HistoryItem[],
  last: { readonly roomId: string; readonly position: number; readonly isLazy: boolean },
): Promise<string[]> {
  const senders = new Set(items.map((item) => item.event.sender));
  const texts: string[] = [];
  for (const entry of await readStateAtPosition(services, last.roomId, last.position)) {
    if (last.isLazy && entry.type === 'm.room.member' && !senders.has(entry.stateKey)) continue;
    const event = await getClientEvent(services, entry.eventId);
    texts.push(await eventText(services, caller, event, { includeRoomId: true }));
  }
  return texts;
}

/** An event with what came before and after it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/context/{eventId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/context/{eventId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}',
  auth: 'user',
  rateLimit: 'reading',
  params: Type.Object({ roomId: Type.String(), eventId: Type.String() }),
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    filter: Type.Optional(Type.String()),
  }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, query, caller, services }) {
    const { roomId, eventId } = params;
    const filter = readRoomEventFilter(query.filter);
    if (isRefusal(filter)) return filter;
    const found = await findVisibleEvent(services, caller.userId, roomId, eventId);
    const entry = found === undefined ? undefined : toTimelineEntry(found.stored);
    if (found === undefined || entry === undefined)
      return refuse('M_NOT_FOUND', 'There is no such event, or you may not see it.');
    const { event, membership } = found;
    const limit = Math.min(query.limit ?? filter.limit ?? EVENTS_DEFAULT, HISTORY_EVENTS_MAX);
    const standing = await readStanding(services, caller.userId, roomId, NOW);
    const place = { depth: entry.depth, streamOrdering: entry.position };
    const [before, after] = await Promise.all([
      readHistory(services, {
        standing,
        direction: 'backward',
        from: placeBefore(entry),
        until: ROOM_START,
        limit: Math.floor(limit / 2),
        filter,
      }),
      readHistory(services, {
        standing,
        direction: 'forward',
        from: place,
        until: ROOM_END,
        limit: Math.ceil(limit / 2),
        filter,
      }),
    ]);
    const own: HistoryItem = { entry, event, membership };
    const shown = [...before.items, ...(matchesRoomEvent(filter, event) ? [own] : []), ...after.items];
    const last = after.items.at(-1)?.entry ?? entry;
    const first = before.items.at(-1)?.entry ?? entry;
    const start = before.next ?? placeBefore(first);
    const end = after.next ?? { depth: last.depth, streamOrdering: last.position };
    const state = { roomId, position: last.position, isLazy: filter.lazyLoadMembers };
    const [ownText = 'null'] = await historyTexts(services, caller, [own]);
    return new JsonText(
      objectText([
        ['start', JSON.stringify(formatPlace(start))],
        ['end', JSON.stringify(formatPlace(end))],
        ['event', ownText],
        ['events_before', listText(await historyTexts(services, caller, before.items))],
        ['events_after', listText(await historyTexts(services, caller, after.items))],
        ['state', listText(await stateTexts(services, caller, [own, ...shown], state))],
      ]),
    );
  },
});
