import { isJsonObject } from '../../kit/json.ts';
import type { Json, JsonObject } from '../../kit/json.ts';
import type { Pdu, ProtoPdu } from '../events/pdu.ts';
import { parseUserId } from '../identifiers/user-id.ts';
import { ALLOWED, reject } from './auth-decision.ts';
import type { AuthDecision } from './auth-decision.ts';
import { ruleNumbers } from './auth-rule-numbers.ts';
import { creatorsOf } from './creators.ts';
import { parseLevel } from './power-levels.ts';
import type { RoomVersion } from './room-versions.ts';

const SCALARS = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'];

/** The room that the levels change in. */
export interface PowerLevelsAuthContext {
  readonly create: ProtoPdu;
  /** The `m.room.power_levels` event that stands, if there is one. */
  readonly current: Pdu | undefined;
  readonly senderLevel: number;
}

/**
 * The rules for `m.room.power_levels`: rule 10 in room versions 1 to 5 and 12, rule 9 between.
 */
export function authorisePowerLevels(
  version: RoomVersion,
  pdu: ProtoPdu,
  context: PowerLevelsAuthContext,
): AuthDecision {
  const shape = checkPowerLevelsContent(version, pdu.content, creatorsOf(version, context.create));
  if (!shape.allowed || context.current === undefined) return shape;
  const change: LevelsChange = {
    version,
    before: context.current.content,
    after: pdu.content,
    sender: pdu.sender,
    senderLevel: context.senderLevel,
  };
  const scalars = checkScalars(change);
  if (!scalars.allowed) return scalars;
  const entries = checkEntries(change);
  return entries.allowed ? checkUsers(change) : entries;
}

/**
 * The part of the rules that needs no room: are these contents power levels at all?
 *
 * @param creators of the room; from version 12 on they must not be listed
 */
export function checkPowerLevelsContent(
  version: RoomVersion,
  content: JsonObject,
  creators: readonly string[],
): AuthDecision {
  const { powerLevels: numbers } = ruleNumbers(version);
  if (version.integerPowerLevels) {
    const scalar = SCALARS.find((key) => content[key] !== undefined && !Number.isSafeInteger(content[key]));
    if (scalar !== undefined) return reject(numbers.scalars, `${scalar} is not an integer`);
    const map = ['events', 'notifications'].find((key) => !isLevelMap(version, content[key]));
    if (map !== undefined) return reject(numbers.maps, `${map} is not an object of integers`);
  }
  const { users } = content;
  if (!isLevelMap(version, users)) return reject(numbers.users, 'users is not an object of integers');
  if (users === undefined) return ALLOWED;
  const names = Object.keys(users as JsonObject);
  if (names.some((name) => parseUserId(name) === undefined)) {
    return reject(numbers.users, 'users has a key that is not a user id');
  }
  if (version.creatorsArePrivileged && names.some((name) => creators.includes(name))) {
    return reject(numbers.creators, 'users lists a creator of the room');
  }
  return ALLOWED;
}

function isLevelMap(version: RoomVersion, value: Json | undefined): boolean {
  if (value === undefined) return true;
  return (
    isJsonObject(value) && Object.values(value).every((level) => parseLevel(version, level) !== undefined)
  );
}

interface LevelsChange {
  readonly version: RoomVersion;
  readonly before: JsonObject;
  readonly after: JsonObject;
  readonly sender: string;
  readonly senderLevel: number;
}

/** One level before and after; undefined where it is absent: then there is nothing to compare, not even a default. */
interface ChangedLevel {
  readonly key: string;
  readonly old: number | undefined;
  readonly new: number | undefined;
}

function changedLevels(
  version: RoomVersion,
  before: JsonObject,
  after: JsonObject,
  keys: Iterable<string>,
): readonly ChangedLevel[] {
  const changed: ChangedLevel[] = [];
  for (const key of keys) {
    const oldLevel = Object.hasOwn(before, key) ? parseLevel(version, before[key]) : undefined;
    const newLevel = Object.hasOwn(after, key) ? parseLevel(version, after[key]) : undefined;
    if (oldLevel !== newLevel) changed.push({ key, old: oldLevel, new: newLevel });
  }
  return changed;
}

function checkScalars({ version, before, after, senderLevel }: LevelsChange): AuthDecision {
  const rule = ruleNumbers(version).powerLevels.changedScalars;
  for (const level of changedLevels(version, before, after, SCALARS)) {
    if (level.old !== undefined && level.old > senderLevel) return reject(`${rule}.1`, above(level.key));
    if (level.new !== undefined && level.new > senderLevel) return reject(`${rule}.2`, above(level.key));
  }
  return ALLOWED;
}

function checkEntries({ version, before, after, senderLevel }: LevelsChange): AuthDecision {
  const { powerLevels: numbers } = ruleNumbers(version);
  const maps = version.notificationLevelsChecked ? ['events', 'notifications'] : ['events'];
  const changed = maps.flatMap((map) => changedEntries(version, before[map], after[map]));
  const tooOld = changed.find(({ old }) => old !== undefined && old > senderLevel);
  if (tooOld !== undefined) return reject(`${numbers.oldEntries}.1`, above(tooOld.key));
  const tooNew = changed.find((level) => level.new !== undefined && level.new > senderLevel);
  return tooNew === undefined ? ALLOWED : reject(`${numbers.newEntries}.1`, above(tooNew.key));
}

function checkUsers({ version, before, after, sender, senderLevel }: LevelsChange): AuthDecision {
  const { powerLevels: numbers } = ruleNumbers(version);
  const changed = changedEntries(version, before['users'], after['users']);
  const equal = changed.find(({ key, old }) => key !== sender && old !== undefined && old >= senderLevel);
  if (equal !== undefined) return reject(`${numbers.oldUsers}.1`, `${equal.key} is not below the sender`);
  const tooNew = changed.find((level) => level.new !== undefined && level.new > senderLevel);
  return tooNew === undefined ? ALLOWED : reject(`${numbers.newUsers}.1`, above(tooNew.key));
}

function changedEntries(
  version: RoomVersion,
  before: Json | undefined,
  after: Json | undefined,
): readonly ChangedLevel[] {
  const old = isJsonObject(before) ? before : {};
  const next = isJsonObject(after) ? after : {};
  return changedLevels(version, old, next, new Set([...Object.keys(old), ...Object.keys(next)]));
}

function above(key: string): string {
  return `the level of ${key} is above the sender's`;
}
