import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import type { Pdu } from '../events/pdu.ts';
import type { InitialEvent } from './initial-events.ts';
import type { RoomVersion } from './room-versions.ts';
import { toStrictJson } from './strict-json.ts';
import { type LevelledRoom, upgradedPowerLevels } from './upgraded-power-levels.ts';

/** Children of a space, and likewise bans, that one upgrade copies; of bans the newest. */
export const COPIED_ENTRIES_MAX = 5_000;

/** A room that is to be replaced, as its current state has it. */
export interface ReplacedRoom extends LevelledRoom {
  readonly roomId: string;
  /** The event at a place of its state, redacted when it is. Asked for the places of {@link COPIED_TYPES}, and of the sender's member event. */
  find(type: string, stateKey: string): Pdu | undefined;
  /** Its `m.space.child` events, at most {@link COPIED_ENTRIES_MAX}; only of a space. */
  readonly spaceChildren: readonly Pdu[];
  /** Its member events that are bans, at most {@link COPIED_ENTRIES_MAX}. */
  readonly bans: readonly Pdu[];
  /** All aliases of this server that point at it. */
  readonly localAliases: readonly string[];
}

/** Who replaces a room, and by what. */
export interface Replacement {
  readonly version: RoomVersion;
  readonly sender: string;
  /** As the sender gave them; without effect where the version has no privileged creators. */
  readonly additionalCreators: readonly string[];
}

/**
 * The state that is copied as it is or nearly, in the order in which the new room gets it.
 * Client-Server API v1.19, "Room Upgrades", "Server behaviour".
 */
export const COPIED_TYPES: readonly string[] = [
  'm.room.server_acl',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.encryption',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
];

/** True for the create event of a space. */
export function isSpace(create: Pdu): boolean {
  return create.content['type'] === 'm.space';
}

/**
 * The content of the new room's create event, without what every room has (`room_version`, `creator`).
 * Client-Server API v1.19, "m.room.create".
 *
 * @param tombstoneId the last event of the old room, or null where it must know the new room's id first (room version 12 and later)
 */
export function replacementCreationContent(
  old: Pick<ReplacedRoom, 'roomId' | 'create'>,
  replacement: Replacement,
  tombstoneId: string | null,
): JsonObject {
  const { type, 'm.federate': federate } = old.create.content;
  const additional = additionalCreators(replacement);
  return {
    ...(typeof type === 'string' && { type: type.toWellFormed() }),
    ...(typeof federate === 'boolean' && { 'm.federate': federate }),
    ...(additional.length > 0 && { additional_creators: additional }),
    predecessor: { room_id: old.roomId, ...(tombstoneId !== null && { event_id: tombstoneId }) },
  };
}

/**
 * What follows the new room's create event, each sent by who upgrades and each allowed at the state before it: the power levels come
 * last, so that nothing in the old room's keeps its state from being copied.
 */
export function replacementEvents(old: ReplacedRoom, replacement: Replacement): readonly InitialEvent[] {
  const creators = [replacement.sender, ...additionalCreators(replacement)];
  const canonicalAlias = splitCanonicalAlias(old).moved;
  const bans = old.bans.filter(({ state_key: userId }) => userId !== undefined && !creators.includes(userId));
  return [
    joinOf(old, replacement.sender),
    ...COPIED_TYPES.flatMap((type) => copyOf(old, type, replacement.version)),
    ...old.spaceChildren.flatMap(childOf),
    ...(canonicalAlias === null ? [] : [state('m.room.canonical_alias', canonicalAlias)]),
    ...bans.map(banOf),
    state('m.room.power_levels', upgradedPowerLevels(old, replacement.version, creators)),
  ];
}

/** The old room's canonical alias event in two: what goes with the aliases that move, and what stays. Null: no such event is needed. */
export function splitCanonicalAlias(old: Pick<ReplacedRoom, 'find' | 'localAliases'>): {
  readonly moved: JsonObject | null;
  readonly left: JsonObject | null;
} {
  const content = old.find('m.room.canonical_alias', '')?.content;
  if (content === undefined) return { moved: null, left: null };
  const moved = withAliases({}, content, (alias) => old.localAliases.includes(alias));
  if (Object.keys(moved).length === 0) return { moved: null, left: null };
  const { alias: _alias, alt_aliases: _others, ...rest } = content;
  const left = withAliases(rest, content, (alias) => !old.localAliases.includes(alias));
  return { moved: toStrictJson(moved) as JsonObject, left };
}

/**
 * The content of a canonical alias event without one alias.
 *
 * @returns null when it does not name the alias
 */
export function withoutAlias(content: JsonObject, alias: string): JsonObject | null {
  const names = [content['alias'], ...(Array.isArray(content['alt_aliases']) ? content['alt_aliases'] : [])];
  if (!names.includes(alias)) return null;
  const { alias: _alias, alt_aliases: _others, ...rest } = content;
  return withAliases(rest, content, (name) => name !== alias);
}

function withAliases(
  rest: JsonObject,
  content: JsonObject,
  isWanted: (alias: string) => boolean,
): JsonObject {
  const { alias, alt_aliases: given } = content;
  const others = (Array.isArray(given) ? (given as readonly Json[]) : []).filter(
    (other) => typeof other === 'string' && isWanted(other),
  );
  return {
    ...rest,
    ...(typeof alias === 'string' && isWanted(alias) && { alias }),
    ...(others.length > 0 && { alt_aliases: others }),
  };
}

function additionalCreators({ version, sender, additionalCreators: given }: Replacement): readonly string[] {
  if (!version.creatorsArePrivileged) return [];
  return [...new Set(given)].filter((userId) => userId !== sender);
}

function state(type: string, content: JsonObject, stateKey = ''): InitialEvent {
  return { type, stateKey, content };
}

function joinOf(old: ReplacedRoom, sender: string): InitialEvent {
  const { displayname, avatar_url: avatarUrl } = old.find('m.room.member', sender)?.content ?? {};
  const content = {
    membership: 'join',
    ...(typeof displayname === 'string' && { displayname: displayname.toWellFormed() }),
    ...(typeof avatarUrl === 'string' && { avatar_url: avatarUrl.toWellFormed() }),
  };
  return state('m.room.member', content, sender);
}

/** A ban goes on with its reason; the rest of a member event is its target's. */
function banOf({ state_key: userId = '', content: { reason } }: Pdu): InitialEvent {
  const content = {
    membership: 'ban',
    ...(typeof reason === 'string' && { reason: reason.toWellFormed() }),
  };
  return state('m.room.member', content, userId);
}

/** A child without `via` was taken out of the space. */
function childOf({ state_key: roomId = '', content }: Pdu): readonly InitialEvent[] {
  if (!Array.isArray(content['via'])) return [];
  return [state('m.space.child', toStrictJson(content) as JsonObject, roomId)];
}

function copyOf(old: ReplacedRoom, type: string, version: RoomVersion): readonly InitialEvent[] {
  const event = old.find(type, '');
  if (event === undefined) return [];
  const content = toStrictJson(contentOf(event, old.version, version)) as JsonObject;
  return Object.keys(content).length === 0 ? [] : [state(type, content)];
}

function contentOf({ type, content }: Pdu, from: RoomVersion, to: RoomVersion): JsonObject {
  if (type === 'm.room.join_rules') return upgradedJoinRules(content, from, to);
  // A redaction takes the algorithm away, and no client stops encrypting for it.
  if (type === 'm.room.encryption' && typeof content['algorithm'] !== 'string')
    return { ...content, algorithm: 'm.megolm.v1.aes-sha2' };
  return content;
}

/** For each join rule that not every room version knows: it, and those that let fewer people in, the nearest first. */
const NARROWER_JOIN_RULES: ReadonlyMap<Json | undefined, readonly string[]> = new Map([
  ['knock_restricted', ['knock_restricted', 'restricted', 'knock']],
  ['restricted', ['restricted']],
  ['knock', ['knock']],
]);

function knowsJoinRule(version: RoomVersion, rule: string): boolean {
  if (rule === 'knock_restricted') return version.knockRestricted;
  return rule === 'restricted' ? version.restricted : version.knock;
}

/**
 * The join rules of the new room. A rule that the old room's version did not know let nobody in who was not invited, and so it stays;
 * one that the new version does not know becomes the nearest that opens the room to nobody else.
 */
function upgradedJoinRules(content: JsonObject, from: RoomVersion, to: RoomVersion): JsonObject {
  const { join_rule: given, allow, ...rest } = content;
  if (given === 'public' || given === 'private') return content;
  const narrower = NARROWER_JOIN_RULES.get(given) ?? [];
  const isUnderstood = narrower[0] !== undefined && knowsJoinRule(from, narrower[0]);
  const rule = (isUnderstood ? narrower : []).find((one) => knowsJoinRule(to, one)) ?? 'invite';
  const keepsAllow = (rule === 'restricted' || rule === 'knock_restricted') && allow !== undefined;
  return { ...rest, join_rule: rule, ...(keepsAllow && { allow }) };
}

/** The room that a create event says it replaces; undefined for any other room. */
export function predecessorOf(createContent: JsonObject): string | undefined {
  const { predecessor } = createContent;
  if (!isJsonObject(predecessor)) return undefined;
  return typeof predecessor['room_id'] === 'string' ? predecessor['room_id'] : undefined;
}
