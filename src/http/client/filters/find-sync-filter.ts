import { isJsonObject, type JsonObject } from '../../../kit/json.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { RoomEventFilter, SyncFilter } from '../../../matrix/sync-filter.ts';
import { emptySyncFilter, parseRoomEventFilter, parseSyncFilter } from '../../../matrix/sync-filter-parse.ts';
import type { Caches } from '../../../streams/cache.ts';
import { filterKey, filtersCache } from '../../../sync/caches/filters.ts';

const EVERYTHING = emptySyncFilter();

function parseObject(text: string): JsonObject | Refusal {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('M_NOT_JSON', 'The query parameter "filter" is not JSON.');
  }
  return isJsonObject(value) ? value : refuse('M_BAD_JSON', 'The query parameter "filter" is not an object.');
}

/**
 * The filter that a query string names: the id of a stored one, or a filter itself as JSON.
 * Client-Server API v1.19, `GET /sync`, parameter `filter`.
 *
 * @returns refused with M_NOT_JSON, M_BAD_JSON, M_INVALID_PARAM, or M_INVALID_PARAM for an id that the user has not stored:
 *   400, because a 404 says that there is no such endpoint
 */
export async function findSyncFilter(
  services: { readonly cached: Caches },
  userId: string,
  text: string | undefined,
): Promise<SyncFilter | Refusal> {
  if (text === undefined || text === '') return EVERYTHING;
  if (text.startsWith('{')) {
    const json = parseObject(text);
    return isRefusal(json) ? json : parseSyncFilter(json);
  }
  const stored = await services.cached.get(filtersCache, filterKey(userId, text));
  return stored ?? refuse('M_INVALID_PARAM', 'You have not stored a filter with this id.');
}

/**
 * The filter of /messages, /context: JSON only.
 *
 * @returns refused with M_NOT_JSON, M_BAD_JSON or M_INVALID_PARAM
 */
export function readRoomEventFilter(text: string | undefined): RoomEventFilter | Refusal {
  if (text === undefined || text === '') return EVERYTHING.room.timeline;
  const json = parseObject(text);
  return isRefusal(json) ? json : parseRoomEventFilter(json);
}
