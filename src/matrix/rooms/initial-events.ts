import type { Json, JsonObject } from '../../kit/json.ts';
import { isOfServer } from '../identifiers/domain.ts';
import { makeRoomAlias } from '../identifiers/room-alias.ts';
import { parseUserId } from '../identifiers/user-id.ts';
import { isRefusal, refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import { checkPowerLevelsContent } from './auth-rules-power-levels.ts';
import { defaultPowerLevels } from './default-power-levels.ts';
import type { Preset } from './default-power-levels.ts';
import { findRoomVersion } from './room-versions.ts';
import type { RoomVersion } from './room-versions.ts';

/** The body of createRoom, its shape checked. Client-Server API v1.19, `POST /_matrix/client/v3/createRoom`. */
export interface CreateRoomRequest {
  readonly visibility?: 'public' | 'private';
  readonly room_alias_name?: string;
  readonly name?: string;
  readonly topic?: string;
  readonly invite?: readonly string[];
  readonly invite_3pid?: readonly JsonObject[];
  readonly room_version?: string;
  readonly creation_content?: JsonObject;
  readonly initial_state?: readonly {
    readonly type: string;
    readonly state_key?: string;
    readonly content: JsonObject;
  }[];
  readonly preset?: Preset;
  readonly is_direct?: boolean;
  readonly power_level_content_override?: JsonObject;
  /** MSC4491. */
  readonly 'uk.timedout.msc4491.invite_reason'?: string;
}

/** What a user shows of themselves in a room; null for nothing. */
export interface MemberProfile {
  readonly displayname: string | null;
  readonly avatarUrl: string | null;
}

/** Who creates the room, and where. */
export interface RoomCreator extends MemberProfile {
  readonly userId: string;
  /** This server's name: the domain of the alias. */
  readonly serverName: string;
  /** The profiles of invited users, as far as they are known here: clients show an invite by it. */
  readonly profileOf?: (userId: string) => MemberProfile | undefined;
}

/** A state event to be sent by the creator. */
export interface InitialEvent {
  readonly type: string;
  readonly stateKey: string;
  readonly content: JsonObject;
}

/** A room to be made: what `rooms.create-room` takes. */
export interface InitialEvents {
  readonly version: RoomVersion;
  /** The content of `m.room.create`, `room_version` included. */
  readonly creationContent: JsonObject;
  /** After `m.room.create`, in order: the creator's join first, the invites of users of this server last. */
  readonly events: readonly InitialEvent[];
  /** The invites of users of other servers, which these have to sign: they come when the room is there. */
  readonly remoteInvites: readonly InitialEvent[];
  /** The full alias to point at the room, or null. */
  readonly alias: string | null;
  /** Whether the room is listed in the directory. */
  readonly isPublic: boolean;
}

/** The state that a preset sets. */
const PRESET_STATE: Readonly<Record<Preset, readonly InitialEvent[]>> = {
  private_chat: presetState('invite', 'can_join'),
  trusted_private_chat: presetState('invite', 'can_join'),
  public_chat: presetState('public', 'forbidden'),
};

/**
 * Translates createRoom into the first events of a room, in the order that the specification gives. Whether each of them is allowed is
 * decided when they are authorised.
 * Client-Server API v1.19, `POST /_matrix/client/v3/createRoom`.
 *
 * @param defaultRoomVersion the version of a room whose creator asks for none
 * @returns refused with M_UNSUPPORTED_ROOM_VERSION, M_BAD_JSON, M_INVALID_PARAM, M_INVALID_ROOM_STATE, or M_THREEPID_DENIED (403)
 */
export function initialEvents(
  request: CreateRoomRequest,
  creator: RoomCreator,
  defaultRoomVersion: string,
): InitialEvents | Refusal {
  const version = findRoomVersion(request.room_version ?? defaultRoomVersion);
  if (version === undefined) {
    return refuse('M_UNSUPPORTED_ROOM_VERSION', 'room_version is not supported by this server');
  }
  const preset = request.preset ?? (request.visibility === 'public' ? 'public_chat' : 'private_chat');
  const invites = inviteesOf(request);
  if (isRefusal(invites)) return invites;
  const creationContent = creationContentOf(version, request, creator, preset, invites);
  if (isRefusal(creationContent)) return creationContent;
  const powerLevels = powerLevelsOf(version, request, creator, preset, invites, creationContent);
  if (isRefusal(powerLevels)) return powerLevels;
  const alias = aliasOf(request, creator);
  if (isRefusal(alias)) return alias;
  const initialState = initialStateOf(request);
  if (isRefusal(initialState)) return initialState;
  const isLocal = (userId: string): boolean => isOfServer(userId, creator.serverName);
  return {
    version,
    creationContent,
    events: [
      state('m.room.member', { membership: 'join', ...profileContent(creator) }, creator.userId),
      state('m.room.power_levels', powerLevels),
      ...(alias === null ? [] : [state('m.room.canonical_alias', { alias })]),
      ...PRESET_STATE[preset].filter((event) => !initialState.some((other) => isSamePlace(event, other))),
      ...initialState,
      ...nameAndTopic(request),
      ...invites.filter(isLocal).map((userId) => inviteEvent(request, creator, userId)),
    ],
    remoteInvites: invites
      .filter((userId) => !isLocal(userId))
      .map((userId) => inviteEvent(request, creator, userId)),
    alias,
    isPublic: request.visibility === 'public',
  };
}

function presetState(joinRule: string, guestAccess: string): readonly InitialEvent[] {
  return [
    state('m.room.join_rules', { join_rule: joinRule }),
    state('m.room.history_visibility', { history_visibility: 'shared' }),
    state('m.room.guest_access', { guest_access: guestAccess }),
  ];
}

function state(type: string, content: JsonObject, stateKey = ''): InitialEvent {
  return { type, stateKey, content };
}

function isSamePlace(left: InitialEvent, right: InitialEvent): boolean {
  return left.type === right.type && left.stateKey === right.stateKey;
}

function inviteesOf(request: CreateRoomRequest): readonly string[] | Refusal {
  if (request.invite_3pid !== undefined && request.invite_3pid.length > 0) {
    return refuse('M_THREEPID_DENIED', 'invite_3pid: this server does not invite by e-mail or telephone');
  }
  const invites = [...new Set(request.invite)];
  const wrong = invites.find((userId) => parseUserId(userId) === undefined);
  return wrong === undefined ? invites : refuse('M_INVALID_PARAM', `invite: ${wrong} is not a user id`);
}

/** The server's keys win over the client's: `room_version`, and `creator`, which is only in room versions 1 to 10. */
function creationContentOf(
  version: RoomVersion,
  request: CreateRoomRequest,
  creator: RoomCreator,
  preset: Preset,
  invites: readonly string[],
): JsonObject | Refusal {
  const { creator: _creator, additional_creators: asked, ...extra } = request.creation_content ?? {};
  const content: Record<string, Json> = { ...extra, room_version: version.id };
  if (version.creatorInContent) content['creator'] = creator.userId;
  if (!version.creatorsArePrivileged) {
    return asked === undefined ? content : { ...content, additional_creators: asked };
  }
  if (asked !== undefined && !isUserIdList(asked)) {
    return refuse('M_BAD_JSON', 'creation_content.additional_creators is not a list of user ids');
  }
  const additional = new Set(asked);
  if (preset === 'trusted_private_chat') for (const userId of invites) additional.add(userId);
  additional.delete(creator.userId);
  return additional.size === 0 ? content : { ...content, additional_creators: [...additional] };
}

function isUserIdList(value: Json): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.every((userId) => typeof userId === 'string' && parseUserId(userId) !== undefined)
  );
}

/** The levels of `initial_state` stand instead of the generated ones; they must come first, for they decide what may follow. */
function powerLevelsOf(
  version: RoomVersion,
  request: CreateRoomRequest,
  creator: RoomCreator,
  preset: Preset,
  invites: readonly string[],
  creationContent: JsonObject,
): JsonObject | Refusal {
  const given = request.initial_state?.findLast(
    (event) => event.type === 'm.room.power_levels' && (event.state_key ?? '') === '',
  );
  const content = given?.content ?? {
    ...defaultPowerLevels(version, creator.userId, preset, invites),
    ...request.power_level_content_override,
  };
  const additional = creationContent['additional_creators'];
  const creators = [creator.userId, ...(Array.isArray(additional) ? (additional as readonly string[]) : [])];
  const decision = checkPowerLevelsContent(version, content, creators);
  if (decision.allowed) return content;
  return refuse('M_INVALID_ROOM_STATE', `the power levels of the room are not valid: ${decision.reason}`);
}

function aliasOf(request: CreateRoomRequest, creator: RoomCreator): string | null | Refusal {
  if (request.room_alias_name === undefined) return null;
  const alias = makeRoomAlias(request.room_alias_name, creator.serverName);
  return alias ?? refuse('M_INVALID_PARAM', 'room_alias_name is not the local part of an alias');
}

/** `initial_state` without what stands elsewhere: power levels, and the name and topic that have parameters of their own. */
function initialStateOf(request: CreateRoomRequest): readonly InitialEvent[] | Refusal {
  const events = (request.initial_state ?? []).map((event) =>
    state(event.type, event.content, event.state_key ?? ''),
  );
  if (events.some((event) => event.type === 'm.room.create')) {
    return refuse('M_INVALID_ROOM_STATE', 'initial_state: m.room.create is made of creation_content');
  }
  const replaced = [state('m.room.power_levels', {}), ...nameAndTopic(request)];
  return events.filter((event) => !replaced.some((other) => isSamePlace(event, other)));
}

function nameAndTopic({ name, topic }: CreateRoomRequest): readonly InitialEvent[] {
  const events: InitialEvent[] = [];
  if (name !== undefined) events.push(state('m.room.name', { name }));
  if (topic !== undefined) {
    const representations = [{ mimetype: 'text/plain', body: topic }];
    events.push(state('m.room.topic', { topic, 'm.topic': { 'm.text': representations } }));
  }
  return events;
}

function inviteEvent(request: CreateRoomRequest, creator: RoomCreator, userId: string): InitialEvent {
  const profile = creator.profileOf?.(userId);
  const reason = request['uk.timedout.msc4491.invite_reason'];
  const content = {
    membership: 'invite',
    ...(request.is_direct === true ? { is_direct: true } : {}),
    ...(profile === undefined ? {} : profileContent(profile)),
    ...(reason === undefined ? {} : { reason }),
  };
  return state('m.room.member', content, userId);
}

function profileContent({ displayname, avatarUrl }: MemberProfile): JsonObject {
  return {
    ...(displayname === null ? {} : { displayname }),
    ...(avatarUrl === null ? {} : { avatar_url: avatarUrl }),
  };
}
