import { Type } from 'typebox';
import type { TimelineEntry } from '../../../../db/rooms/sync-reader.ts';
import { ROOM_END, ROOM_START } from '../../../../db/rooms/timeline-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { matchesRoomEvent } from '../../../matrix/sync-filter.ts';
import { getGroupState } from '../../../sync/caches/state-of-group.ts';
import { eventText, findClientEvent } from '../../../sync/event-text.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import { formatPlace, placeBefore } from '../../../sync/page-token.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { readRoomEventFilter } from '../filters/find-sync-filter.ts';
import { findVisibleEvent } from './find-visible-event.ts';
import { fetchHistory } from './fetch-history.ts';
import { HISTORY_EVENTS_MAX, type HistoryItem, historyTexts, readHistory, readViewer } from './history.ts';
import { ANY_OBJECT } from './room-params.ts';
import { refuseUnlessWhole } from './whole-room.ts';

const EVENTS_DEFAULT = 10;

/** The state after the last of some events, on its own branch of the room; of members only the senders' when they are loaded lazily. */
async function stateTexts(
  services: ReadServices,
  caller: SyncCaller,
  items: readonly HistoryItem[],
  last: { readonly entry: TimelineEntry; readonly isLazy: boolean },
): Promise<string[]> {
  const { stateGroup } = last.entry;
  if (stateGroup === null) return [];
  const senders = new Set(items.map((item) => item.event.sender));
  const texts: string[] = [];
  for (const entry of (await getGroupState(services.cached, stateGroup)).values()) {
    if (last.isLazy && entry.type === 'm.room.member' && !senders.has(entry.stateKey)) continue;
    const event = await findClientEvent(services, entry.eventId);
    // A purge may have deleted it since the state was read.
    if (event !== undefined) texts.push(await eventText(services, caller, event, { includeRoomId: true }));
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
  allows: ['guest'],
  rateLimit: 'reading',
  params: Type.Object({ roomId: Type.String(), eventId: Type.String() }),
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    filter: Type.Optional(Type.String()),
  }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'streams', 'clock', 'federation-receiver'],
  async handle({ params, query, caller, services, aborted }) {
    const { roomId, eventId } = params;
    const filter = readRoomEventFilter(query.filter);
    if (isRefusal(filter)) return filter;
    const found = await findVisibleEvent(services, caller.userId, roomId, eventId);
    if (found === undefined) return refuse('M_NOT_FOUND', 'There is no such event, or you may not see it.');
    if (!filter.lazyLoadMembers) {
      const refused = await refuseUnlessWhole(services, roomId, aborted);
      if (refused !== undefined) return refused;
    }
    const { entry, event, membership, standing } = found;
    const limit = Math.min(query.limit ?? filter.limit ?? EVENTS_DEFAULT, HISTORY_EVENTS_MAX);
    const place = { depth: entry.depth, streamOrdering: entry.position };
    const [before, after] = await Promise.all([
      fetchHistory(services, {
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
    const state = { entry: last, isLazy: filter.lazyLoadMembers };
    const viewer = await readViewer(services, caller, standing);
    const [ownText = 'null'] = await historyTexts(services, viewer, [own]);
    return new JsonText(
      objectText([
        ['start', JSON.stringify(formatPlace(start))],
        ['end', JSON.stringify(formatPlace(end))],
        ['event', ownText],
        ['events_before', listText(await historyTexts(services, viewer, before.items))],
        ['events_after', listText(await historyTexts(services, viewer, after.items))],
        ['state', listText(await stateTexts(services, caller, [own, ...shown], state))],
      ]),
    );
  },
});
