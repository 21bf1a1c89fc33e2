import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import type { Pdu } from '../events/pdu.ts';
import { parseUserId } from '../identifiers/user-id.ts';
import { creatorsOf } from './creators.ts';
import { parseLevel } from './power-levels.ts';
import type { RoomVersion } from './room-versions.ts';
import { toStrictInteger, toStrictJson } from './strict-json.ts';

/** What decides the levels of a room. */
export interface LevelledRoom {
  readonly version: RoomVersion;
  readonly create: Pdu;
  /** The `m.room.power_levels` event that stands, if there is one. */
  readonly powerLevels: Pdu | undefined;
}

const SCALARS = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'];
const MAPS = ['events', 'notifications', 'users'];

/** The least level of somebody who was a creator and is none any more. */
const FORMER_CREATOR_LEVEL = 100;
/** The least level that speaking and inviting take in a room that was replaced. */
const CLOSED_LEVEL = 50;

/**
 * The power levels of a room that replaces another: the same levels as integers, which all room versions take. The creators of room
 * version 12 and later are not listed; who was one and is none any more is listed with a level that nobody else surpasses.
 * Room versions 10 and 12; Client-Server API v1.19, "Room Upgrades".
 *
 * @param creators of the new room
 */
export function upgradedPowerLevels(
  old: LevelledRoom,
  version: RoomVersion,
  creators: readonly string[],
): JsonObject {
  const content = integerLevels(old.version, explicitLevels(old));
  const users = new Map(isJsonObject(content['users']) ? Object.entries(content['users']) : []);
  if (old.version.creatorsArePrivileged) {
    const level = version.creatorsArePrivileged ? FORMER_CREATOR_LEVEL : highestLevel(content);
    for (const creator of creatorsOf(old.version, old.create)) users.set(creator, level);
  }
  if (version.creatorsArePrivileged) for (const creator of creators) users.delete(creator);
  return { ...content, users: Object.fromEntries(users) };
}

/**
 * The power levels of a room that was replaced: ordinary users neither speak there nor invite any more.
 * Client-Server API v1.19, "Room Upgrades", "Server behaviour".
 *
 * @returns null when they are so already
 */
export function closedPowerLevels(old: LevelledRoom): JsonObject | null {
  const content = explicitLevels(old);
  const levelOf = (key: string): number => parseLevel(old.version, content[key]) ?? 0;
  const least = toStrictInteger(Math.max(CLOSED_LEVEL, levelOf('users_default') + 1));
  const raised = ['events_default', 'invite'].filter((key) => levelOf(key) < least);
  if (raised.length === 0) return null;
  return { ...content, ...Object.fromEntries(raised.map((key) => [key, least])) };
}

/** What a room without power levels means, written down: its creators have a level of their own. */
function explicitLevels({ version, create, powerLevels }: LevelledRoom): JsonObject {
  if (powerLevels !== undefined) return powerLevels.content;
  if (version.creatorsArePrivileged) return {};
  const creators = creatorsOf(version, create).map((creator) => [creator, FORMER_CREATOR_LEVEL]);
  return { users: Object.fromEntries(creators) as JsonObject };
}

/** Levels as the room version reads them; what it does not take for a level is left out, for it counts as absent. */
function integerLevels(version: RoomVersion, content: JsonObject): JsonObject {
  const result: Record<string, Json> = {};
  for (const [key, value] of Object.entries(content)) {
    if (SCALARS.includes(key)) {
      const level = parseLevel(version, value);
      if (level !== undefined) result[key] = level;
    } else if (MAPS.includes(key)) {
      if (isJsonObject(value)) result[key] = levelMap(version, key, value);
    } else {
      result[key] = value;
    }
  }
  return toStrictJson(result) as JsonObject;
}

function levelMap(version: RoomVersion, map: string, value: JsonObject): JsonObject {
  const entries: [string, number][] = [];
  for (const [key, entry] of Object.entries(value)) {
    const level = parseLevel(version, entry);
    if (level === undefined || (map === 'users' && parseUserId(key) === undefined)) continue;
    entries.push([key, level]);
  }
  return Object.fromEntries(entries);
}

/** The highest level that is had or needed anywhere. */
function highestLevel(content: JsonObject): number {
  let highest = FORMER_CREATOR_LEVEL;
  const values = [
    ...SCALARS.map((key) => content[key]),
    ...MAPS.flatMap((key) => (isJsonObject(content[key]) ? Object.values(content[key]) : [])),
  ];
  for (const value of values) if (typeof value === 'number') highest = Math.max(highest, value);
  return highest;
}
