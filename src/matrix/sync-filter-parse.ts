import { isJsonObject } from '../kit/json.ts';
import type { Json, JsonObject } from '../kit/json.ts';
import { parseDottedPath } from './dotted-path.ts';
import { refuse } from './refusal.ts';
import type { Refusal } from './refusal.ts';
import { compileStarPattern } from './star-pattern.ts';
import { FILTER_LIMIT_MAX } from './sync-filter.ts';
import type { EventFilter, RoomEventFilter, RoomFilter, SyncFilter } from './sync-filter.ts';

/** The most entries of one list in a filter. */
export const FILTER_LIST_MAX = 1_000;
/** The longest entry of a list in a filter, in UTF-16 units. */
export const FILTER_ENTRY_LENGTH_MAX = 1_024;

/**
 * Reads a filter. Unknown keys are ignored; `limit: 0`, which some clients send, means no events.
 * Client-Server API v1.19, `POST /_matrix/client/v3/user/{userId}/filter`.
 *
 * @returns refused with M_BAD_JSON for a wrong type, M_INVALID_PARAM for a value out of bounds, both naming the field
 */
export function parseSyncFilter(json: JsonObject): SyncFilter | Refusal {
  const reader = makeReader();
  const room = reader.object(json, 'room', '');
  const filter: SyncFilter = {
    eventFields: reader.texts(json, 'event_fields', '')?.map(parseDottedPath),
    eventFormat: reader.format(json),
    presence: eventFilter(reader, reader.object(json, 'presence', ''), 'presence.'),
    accountData: eventFilter(reader, reader.object(json, 'account_data', ''), 'account_data.'),
    room: roomFilter(reader, room),
  };
  return reader.refusal() ?? filter;
}

/** Reads the filter of one list of events of rooms: the `filter` of `/messages` and `/context`. Refuses like {@link parseSyncFilter}. */
export function parseRoomEventFilter(json: JsonObject): RoomEventFilter | Refusal {
  const reader = makeReader();
  const filter = roomEventFilter(reader, json, '');
  return reader.refusal() ?? filter;
}

/** The filter that lets everything through. */
export function emptySyncFilter(): SyncFilter {
  const filter = parseSyncFilter({});
  if ('kind' in filter) throw new Error('the empty filter is a filter');
  return filter;
}

function roomFilter(reader: Reader, json: JsonObject): RoomFilter {
  const part = (key: string): RoomEventFilter =>
    roomEventFilter(reader, reader.object(json, key, 'room.'), `room.${key}.`);
  return {
    rooms: toSet(reader.texts(json, 'rooms', 'room.')),
    notRooms: new Set(reader.texts(json, 'not_rooms', 'room.')),
    includeLeave: reader.flag(json, 'include_leave', 'room.') ?? false,
    state: part('state'),
    timeline: part('timeline'),
    ephemeral: part('ephemeral'),
    accountData: part('account_data'),
  };
}

function roomEventFilter(reader: Reader, json: JsonObject, path: string): RoomEventFilter {
  return {
    ...eventFilter(reader, json, path),
    rooms: toSet(reader.texts(json, 'rooms', path)),
    notRooms: new Set(reader.texts(json, 'not_rooms', path)),
    containsUrl: reader.flag(json, 'contains_url', path),
    lazyLoadMembers: reader.flag(json, 'lazy_load_members', path) ?? false,
    includeRedundantMembers: reader.flag(json, 'include_redundant_members', path) ?? false,
    unreadThreadNotifications: reader.flag(json, 'unread_thread_notifications', path) ?? false,
    relatedBySenders:
      reader.texts(json, 'related_by_senders', path) ??
      reader.texts(json, 'io.element.relation_senders', path),
    relatedByRelTypes:
      reader.texts(json, 'related_by_rel_types', path) ??
      reader.texts(json, 'io.element.relation_types', path),
    relTypes: toSet(relTypes(reader, json, 'org.matrix.msc3874.rel_types', path)),
    notRelTypes: new Set(relTypes(reader, json, 'org.matrix.msc3874.not_rel_types', path)),
  };
}

/** A list of relation types, in which null stands for none. */
function relTypes(
  reader: Reader,
  json: JsonObject,
  key: string,
  path: string,
): readonly string[] | undefined {
  const value = json[key];
  return Array.isArray(value)
    ? reader.texts({ [key]: value.map((item: Json) => item ?? '') }, key, path)
    : reader.texts(json, key, path);
}

function eventFilter(reader: Reader, json: JsonObject, path: string): EventFilter {
  return {
    limit: reader.limit(json, path),
    senders: toSet(reader.texts(json, 'senders', path)),
    notSenders: new Set(reader.texts(json, 'not_senders', path)),
    types: reader.texts(json, 'types', path)?.map(compileStarPattern),
    notTypes: reader.texts(json, 'not_types', path)?.map(compileStarPattern) ?? [],
  };
}

function toSet(texts: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return texts === undefined ? undefined : new Set(texts);
}

/** Reads fields and remembers the first that is wrong. */
interface Reader {
  object(json: JsonObject, key: string, path: string): JsonObject;
  texts(json: JsonObject, key: string, path: string): readonly string[] | undefined;
  flag(json: JsonObject, key: string, path: string): boolean | undefined;
  limit(json: JsonObject, path: string): number | undefined;
  format(json: JsonObject): 'client' | 'federation';
  refusal(): Refusal | undefined;
}

function makeReader(): Reader {
  let first: Refusal | undefined;
  const badJson = (field: string, wanted: string): void => {
    first ??= refuse('M_BAD_JSON', `${field} is not ${wanted}`);
  };
  const invalid = (field: string, why: string): void => {
    first ??= refuse('M_INVALID_PARAM', `${field} ${why}`);
  };
  return {
    refusal: () => first,
    object(json, key, path) {
      const value = json[key];
      if (isJsonObject(value)) return value;
      if (value !== undefined) badJson(`${path}${key}`, 'an object');
      return {};
    },
    texts(json, key, path) {
      const value = json[key];
      if (value === undefined) return undefined;
      if (!isTextList(value)) badJson(`${path}${key}`, 'a list of texts');
      else if (value.length > FILTER_LIST_MAX) {
        invalid(`${path}${key}`, `has more than ${FILTER_LIST_MAX} entries`);
      } else if (value.some((text) => text.length > FILTER_ENTRY_LENGTH_MAX)) {
        invalid(`${path}${key}`, `has an entry longer than ${FILTER_ENTRY_LENGTH_MAX} characters`);
      } else return value;
      return undefined;
    },
    flag(json, key, path) {
      const value = json[key];
      if (value !== undefined && typeof value !== 'boolean') badJson(`${path}${key}`, 'true or false');
      return typeof value === 'boolean' ? value : undefined;
    },
    limit(json, path) {
      const value = json['limit'];
      if (value === undefined) return undefined;
      if (!Number.isInteger(value)) badJson(`${path}limit`, 'an integer');
      else if (Number(value) < 0) invalid(`${path}limit`, 'is below zero');
      return Math.min(Math.max(Number(value), 0), FILTER_LIMIT_MAX);
    },
    format(json) {
      const value = json['event_format'];
      if (value === undefined || value === 'client' || value === 'federation') return value ?? 'client';
      if (typeof value === 'string') invalid('event_format', 'is neither client nor federation');
      else badJson('event_format', 'a text');
      return 'client';
    },
  };
}

function isTextList(value: Json): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
