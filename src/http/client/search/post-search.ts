import { type Static, Type } from 'typebox';
import { matchExpression, readRoomsOfUser } from '../../../../db/search/reader.ts';
import { AskFailed } from '../../../../actors/kit/ref.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import { matchesRoom } from '../../../matrix/sync-filter.ts';
import { parseRoomEventFilter } from '../../../matrix/sync-filter-parse.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import type { Services } from '../../kit/services.ts';
import { findRoomAccess } from '../rooms/room-access.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { stateTextsOf } from '../rooms/state-texts.ts';
import { findResults, type SearchPage, type SearchResult } from './find-results.ts';
import { type ContextWish, resultText } from './result-texts.ts';
import { formatSearchPlace, parseSearchPlace, type SearchPlace } from './search-token.ts';
import { searchWordsOf } from './search-words.ts';

const RESULTS_DEFAULT = 10;
/** Results of one page. */
const RESULTS_MAX = 100;
const CONTEXT_DEFAULT = 5;
/** Events before a result, and after it. */
const CONTEXT_MAX = 50;
/** How long a search waits for what was sent just now to be indexed, in milliseconds; what is not by then is not found. */
const INDEX_WAIT_MS = 500;

const KEYS = { 'content.body': 'body', 'content.name': 'name', 'content.topic': 'topic' } as const;
const COUNT = Type.Integer({ minimum: 0 });

const ROOM_EVENTS = Type.Object({
  search_term: Type.String(),
  keys: Type.Optional(
    Type.Array(
      Type.Union([Type.Literal('content.body'), Type.Literal('content.name'), Type.Literal('content.topic')]),
    ),
  ),
  filter: Type.Optional(ANY_OBJECT),
  order_by: Type.Optional(Type.Union([Type.Literal('recent'), Type.Literal('rank')])),
  event_context: Type.Optional(
    Type.Object({
      before_limit: Type.Optional(COUNT),
      after_limit: Type.Optional(COUNT),
      include_profile: Type.Optional(Type.Boolean()),
    }),
  ),
  include_state: Type.Optional(Type.Boolean()),
  groupings: Type.Optional(
    Type.Object({
      group_by: Type.Optional(
        Type.Array(
          Type.Object({
            key: Type.Optional(Type.Union([Type.Literal('room_id'), Type.Literal('sender')])),
          }),
        ),
      ),
    }),
  ),
});

type RoomEvents = Static<typeof ROOM_EVENTS>;
type GroupKey = 'room_id' | 'sender';

function contextWishOf({ event_context: wish }: RoomEvents): ContextWish | null {
  if (wish === undefined) return null;
  return {
    before: Math.min(wish.before_limit ?? CONTEXT_DEFAULT, CONTEXT_MAX),
    after: Math.min(wish.after_limit ?? CONTEXT_DEFAULT, CONTEXT_MAX),
    includeProfile: wish.include_profile ?? false,
  };
}

/** What a page shows of one group. */
function groupsText(keys: readonly GroupKey[], page: SearchPage, place: SearchPlace): string {
  const groups = keys.map((key) => {
    const members = Map.groupBy(page.results, ({ event }) =>
      key === 'room_id' ? event.roomId : event.sender,
    );
    const texts = [...members].map(([value, results], order) => {
      const next = nextBatch(page, { ...place, group: { key, value } });
      const ids = results.map(({ event }) => event.eventId);
      const group = { results: ids, order, ...(next !== null && { next_batch: next }) };
      return [value, JSON.stringify(group)] as const;
    });
    return [key, objectText(texts)] as const;
  });
  return objectText(groups);
}

function nextBatch({ nextOffset }: SearchPage, place: SearchPlace): string | null {
  return nextOffset === null ? null : formatSearchPlace({ ...place, offset: nextOffset });
}

/** The state of the rooms of the results, as far as the caller may know it. */
async function statesText(
  services: ReadServices,
  caller: SyncCaller,
  results: readonly SearchResult[],
): Promise<string> {
  const states: (readonly [string, string])[] = [];
  for (const roomId of new Set(results.map(({ event }) => event.roomId))) {
    const access = await findRoomAccess(services, caller.userId, roomId);
    const texts = isRefusal(access) ? [] : await stateTextsOf(services, caller, roomId, access);
    states.push([roomId, listText(texts)]);
  }
  return objectText(states);
}

/** What the caller has just sent is found, unless the index is far behind. */
async function waitForIndex({ search }: Pick<Services, 'search'>): Promise<void> {
  try {
    await search.ask('search.index-now', null, { deadlineMs: INDEX_WAIT_MS });
  } catch (error) {
    if (!(error instanceof AskFailed)) throw error;
  }
}

async function searchRoomEvents(
  services: ReadServices & Pick<Services, 'search'>,
  caller: SyncCaller,
  wanted: RoomEvents,
  token: string | undefined,
): Promise<string | Refusal> {
  const filter = parseRoomEventFilter((wanted.filter ?? {}) as JsonObject);
  if (isRefusal(filter)) return filter;
  const start = { upTo: services.streams.currentToken('events'), offset: 0, group: null };
  const place = token === undefined ? start : parseSearchPlace(token);
  if (isRefusal(place)) return place;
  const { words, highlights } = searchWordsOf(wanted.search_term);
  const keys = wanted.keys === undefined || wanted.keys.length === 0 ? Object.keys(KEYS) : wanted.keys;
  const columns = [...new Set(keys)].map((key) => KEYS[key as keyof typeof KEYS]);
  const rooms = await readRoomsOfUser(services.db, caller.userId);
  const roomNids = rooms.filter(({ roomId }) => matchesRoom(filter, roomId)).map(({ roomNid }) => roomNid);
  if (token === undefined && words.length > 0) await waitForIndex(services);
  const match = words.length === 0 ? '' : matchExpression(words, columns);
  const question = {
    match,
    roomNids: words.length === 0 ? [] : roomNids,
    upTo: place.upTo,
    order: wanted.order_by ?? 'rank',
  };
  const limit = Math.min(filter.limit ?? RESULTS_DEFAULT, RESULTS_MAX);
  const page = await findResults(services, caller, { question, place, filter, limit });
  const wish = contextWishOf(wanted);
  const texts: string[] = [];
  for (const result of page.results) texts.push(await resultText(services, result, wish));
  const groupKeys = (wanted.groupings?.group_by ?? [])
    .map(({ key }) => key)
    .filter((key) => key !== undefined);
  const next = nextBatch(page, place);
  return objectText([
    ['count', `${page.count}`],
    ['highlights', JSON.stringify(highlights)],
    ['results', listText(texts)],
    ['state', wanted.include_state === true ? await statesText(services, caller, page.results) : null],
    ['groups', groupKeys.length === 0 ? null : groupsText([...new Set(groupKeys)], page, place)],
    ['next_batch', next === null ? null : JSON.stringify(next)],
  ]);
}

/** Searches the words of messages, room names and topics in all rooms that the caller is in or was in. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/search',
  aliases: ['/_matrix/client/r0/search'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/search',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'reading',
  query: Type.Object({ next_batch: Type.Optional(Type.String()) }),
  body: Type.Object({ search_categories: Type.Object({ room_events: Type.Optional(ROOM_EVENTS) }) }),
  reply: Type.Object({ search_categories: ANY_OBJECT }),
  needs: ['db', 'cached', 'streams', 'clock', 'search'],
  async handle({ query, body, caller, services }) {
    const wanted = body.search_categories.room_events;
    if (wanted === undefined) return { search_categories: {} };
    const text = await searchRoomEvents(services, caller, wanted, query.next_batch);
    if (isRefusal(text)) return text;
    return new JsonText(objectText([['search_categories', objectText([['room_events', text]])]]));
  },
});
