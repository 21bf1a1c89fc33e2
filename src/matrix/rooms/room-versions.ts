import { REDACTION_RULES } from '../events/redaction-rules.ts';
import type { RedactionRules } from '../events/redaction-rules.ts';

/** What a room version decides. The names follow the pages "Room Version 1" to "Room Version 12" of specification v1.19. */
export interface RoomVersion {
  /** `content.room_version` of the create event; opaque, without an order. */
  readonly id: string;
  /** `server-chosen`: `$x:domain` (1–2); `base64`: reference hash (3); `url-safe-base64`: the same, safe in URLs (4 and later). */
  readonly eventIdFormat: 'server-chosen' | 'base64' | 'url-safe-base64';
  /** `server-chosen`: `!x:domain`; `create-event`: the reference hash of the create event (12). */
  readonly roomIdFormat: 'server-chosen' | 'create-event';
  readonly stateResolution: 'v1' | 'v2' | 'v2.1';
  /** Canonical JSON is enforced, and `depth` is an integer of at most 2^53 − 1 (6 and later). */
  readonly strictCanonicalJson: boolean;
  /** A signing key must have been valid at `origin_server_ts` (5 and later). */
  readonly enforceKeyValidity: boolean;
  readonly redaction: RedactionRules;
  /** Where a redaction names its target: beside or within `content` (11 and later). */
  readonly redactsIn: 'event' | 'content';
  /** Who may redact is an authorisation rule (1–2); later it is decided when the redaction is applied. */
  readonly redactionAuthRule: boolean;
  /** `m.room.aliases` has an authorisation rule of its own (1–5). */
  readonly aliasesAuthRule: boolean;
  /** Changes of `notifications` in power levels are checked (6 and later). */
  readonly notificationLevelsChecked: boolean;
  /** Power levels are integers only (10 and later); before, texts are taken too, and without strict JSON also fractions. */
  readonly integerPowerLevels: boolean;
  /** Membership and join rule `knock` (7 and later). */
  readonly knock: boolean;
  /** Join rule `restricted` (8 and later). */
  readonly restricted: boolean;
  /** Join rule `knock_restricted` (10 and later). */
  readonly knockRestricted: boolean;
  /** The create event must have `content.creator` (1–10); later its sender is the creator. */
  readonly creatorInContent: boolean;
  /** Creators, `additional_creators` among them, stand above all power levels (12). */
  readonly creatorsArePrivileged: boolean;
  /** The create event is among the auth events (1–11); later it is found through the room id. */
  readonly createInAuthEvents: boolean;
  /** State keys that begin with a user's id and `_` belong to that user, and who stands above a user may set what belongs to them. MSC3757. */
  readonly ownedState: boolean;
}

const V1: RoomVersion = {
  id: '1',
  eventIdFormat: 'server-chosen',
  roomIdFormat: 'server-chosen',
  stateResolution: 'v1',
  strictCanonicalJson: false,
  enforceKeyValidity: false,
  redaction: REDACTION_RULES.v1,
  redactsIn: 'event',
  redactionAuthRule: true,
  aliasesAuthRule: true,
  notificationLevelsChecked: false,
  integerPowerLevels: false,
  knock: false,
  restricted: false,
  knockRestricted: false,
  creatorInContent: true,
  creatorsArePrivileged: false,
  createInAuthEvents: true,
  ownedState: false,
};
const V2: RoomVersion = { ...V1, id: '2', stateResolution: 'v2' };
const V3: RoomVersion = { ...V2, id: '3', eventIdFormat: 'base64', redactionAuthRule: false };
const V4: RoomVersion = { ...V3, id: '4', eventIdFormat: 'url-safe-base64' };
const V5: RoomVersion = { ...V4, id: '5', enforceKeyValidity: true };
const V6: RoomVersion = {
  ...V5,
  id: '6',
  strictCanonicalJson: true,
  aliasesAuthRule: false,
  notificationLevelsChecked: true,
  redaction: REDACTION_RULES.v6,
};
const V7: RoomVersion = { ...V6, id: '7', knock: true };
const V8: RoomVersion = { ...V7, id: '8', restricted: true, redaction: REDACTION_RULES.v8 };
const V9: RoomVersion = { ...V8, id: '9', redaction: REDACTION_RULES.v9 };
const V10: RoomVersion = { ...V9, id: '10', integerPowerLevels: true, knockRestricted: true };
const V11: RoomVersion = {
  ...V10,
  id: '11',
  creatorInContent: false,
  redactsIn: 'content',
  redaction: REDACTION_RULES.v11,
};
const V12: RoomVersion = {
  ...V11,
  id: '12',
  roomIdFormat: 'create-event',
  stateResolution: 'v2.1',
  creatorsArePrivileged: true,
  createInAuthEvents: false,
};

const MSC3757_V10: RoomVersion = { ...V10, id: 'org.matrix.msc3757.10', ownedState: true };
const MSC3757_V11: RoomVersion = { ...V11, id: 'org.matrix.msc3757.11', ownedState: true };

/** The room versions of the specification that this server can take part in, oldest first. All are stable in v1.19. */
export const ROOM_VERSIONS: readonly RoomVersion[] = [V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12];

/** Room versions of proposals: they are offered as unstable. */
export const UNSTABLE_ROOM_VERSIONS: readonly RoomVersion[] = [MSC3757_V10, MSC3757_V11];

/** Every room version that this server can take part in. */
export const KNOWN_ROOM_VERSIONS: readonly RoomVersion[] = [...ROOM_VERSIONS, ...UNSTABLE_ROOM_VERSIONS];

/** The version of new rooms when the client asks for none. */
export const DEFAULT_ROOM_VERSION = '12';

const BY_ID: ReadonlyMap<string, RoomVersion> = new Map(
  KNOWN_ROOM_VERSIONS.map((version) => [version.id, version]),
);

/** Finds a room version by its id; a create event without `room_version` is of version 1. */
export function findRoomVersion(id: string): RoomVersion | undefined {
  return BY_ID.get(id);
}

/** The room version of an id that is known to be supported. Throws otherwise. */
export function getRoomVersion(id: string): RoomVersion {
  const version = BY_ID.get(id);
  if (version === undefined) throw new Error(`unknown room version: ${id}`);
  return version;
}
