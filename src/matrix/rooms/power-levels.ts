import { isJsonObject } from '../../kit/json.ts';
import type { Json, JsonObject } from '../../kit/json.ts';
import type { Pdu } from '../events/pdu.ts';
import { creatorsOf } from './creators.ts';
import type { RoomVersion } from './room-versions.ts';

/** The levels of a room with every default filled in. */
export interface PowerLevels {
  /** The level of a user; `Infinity` for creators from room version 12 on. */
  ofUser(userId: string): number;
  /** The level that sending an event of a type takes. */
  forEvent(type: string, isState: boolean): number;
  /** The level that a notification takes, such as `room`. */
  forNotification(key: string): number;
  readonly invite: number;
  readonly kick: number;
  readonly ban: number;
  /** To redact the events of other servers' users. */
  readonly redact: number;
}

const LEVEL_BY_DEFAULT = {
  users_default: 0,
  events_default: 0,
  state_default: 50,
  ban: 50,
  kick: 50,
  redact: 50,
  invite: 0,
  notification: 50,
} as const;

/** The level of the creator while a room has no power levels event, up to room version 11. */
const CREATOR_LEVEL = 100;

const STRING_LEVEL = /^\s*[+-]?[0-9]+\s*$/;

/** Reads one level, as a room version allows it; undefined when it is not one. Room versions 1, 6 and 10, on power level values. */
export function parseLevel(version: RoomVersion, value: Json | undefined): number | undefined {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return value;
    // Adding zero makes an ordinary zero of the negative one.
    return version.strictCanonicalJson || !Number.isFinite(value) ? undefined : Math.trunc(value) + 0;
  }
  if (typeof value !== 'string' || version.integerPowerLevels || !STRING_LEVEL.test(value)) return undefined;
  const level = Number(value) + 0;
  return Number.isFinite(level) ? level : undefined;
}

const cache = new WeakMap<Pdu, WeakMap<Pdu, PowerLevels>>();

/**
 * The power levels of a room. Parsed once for each power levels event, which the cache knows by its identity.
 * Client-Server API v1.19, "m.room.power_levels"; a value that is not a level counts as absent.
 *
 * @param create the room's create event: its creators have levels of their own
 * @param powerLevelsEvent the current `m.room.power_levels` event, if there is one
 */
export function powerLevels(
  version: RoomVersion,
  create: Pdu,
  powerLevelsEvent: Pdu | undefined,
): PowerLevels {
  let ofRoom = cache.get(create);
  if (ofRoom === undefined) cache.set(create, (ofRoom = new WeakMap()));
  const key = powerLevelsEvent ?? create;
  let levels = ofRoom.get(key);
  if (levels === undefined) {
    levels =
      powerLevelsEvent === undefined
        ? levelsWithoutEvent(version, create)
        : levelsOfContent(version, creatorsOf(version, create), powerLevelsEvent.content);
    ofRoom.set(key, levels);
  }
  return levels;
}

function levelsWithoutEvent(version: RoomVersion, create: Pdu): PowerLevels {
  const creators = creatorsOf(version, create);
  const users = version.creatorsArePrivileged
    ? {}
    : Object.fromEntries(creators.map((creator) => [creator, CREATOR_LEVEL]));
  return levelsOfContent(version, creators, { users });
}

function levelsOfContent(
  version: RoomVersion,
  creators: readonly string[],
  content: JsonObject,
): PowerLevels {
  const scalar = (key: Exclude<keyof typeof LEVEL_BY_DEFAULT, 'notification'>): number =>
    parseLevel(version, content[key]) ?? LEVEL_BY_DEFAULT[key];
  const users = levelMap(version, content['users']);
  const events = levelMap(version, content['events']);
  const notifications = levelMap(version, content['notifications']);
  if (version.creatorsArePrivileged) for (const creator of creators) users.set(creator, Infinity);
  const usersDefault = scalar('users_default');
  const eventsDefault = scalar('events_default');
  const stateDefault = scalar('state_default');
  return {
    ofUser: (userId) => users.get(userId) ?? usersDefault,
    forEvent: (type, isState) => events.get(type) ?? (isState ? stateDefault : eventsDefault),
    forNotification: (key) => notifications.get(key) ?? LEVEL_BY_DEFAULT.notification,
    invite: scalar('invite'),
    kick: scalar('kick'),
    ban: scalar('ban'),
    redact: scalar('redact'),
  };
}

function levelMap(version: RoomVersion, value: Json | undefined): Map<string, number> {
  const levels = new Map<string, number>();
  if (!isJsonObject(value)) return levels;
  for (const key of Object.keys(value)) {
    const level = parseLevel(version, value[key]);
    if (level !== undefined) levels.set(key, level);
  }
  return levels;
}
