import {
  countJoined,
  countJoinedMembers,
  DESCRIBING_TYPES,
  findVersion,
  findVersionOfRoom,
  readDescribingState,
  readDescription,
} from '../../../db/rooms/directory-reader.ts';
import { hostsOfRoom } from '../../../db/rooms/hosts-reader.ts';
import { selectPartialRoom } from '../../../db/rooms/partial-reader.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import { toSearchable } from '../../kit/searchable-text.ts';
import { parseHistoryVisibility } from '../../matrix/rooms/visibility.ts';
import { getRoomVersion, type RoomVersion } from '../../matrix/rooms/room-versions.ts';
import { defineCache } from '../../streams/cache.ts';
import { toShownState } from '../state-content.ts';

/** What a room is, for those who look for rooms. */
export interface RoomDescription {
  readonly roomId: string;
  readonly version: RoomVersion;
  /** How many users are in it. */
  readonly joined: number;
  readonly name: string | null;
  readonly topic: string | null;
  readonly canonicalAlias: string | null;
  readonly avatarUrl: string | null;
  /** `invite` where the room has no join rules. */
  readonly joinRule: string;
  /** The rooms whose members may join; empty unless the join rule and the room version let them. */
  readonly allowedRoomIds: readonly string[];
  readonly isWorldReadable: boolean;
  readonly guestsCanJoin: boolean;
  readonly roomType: string | null;
  readonly encryption: string | null;
  /** Name, topic and canonical alias as searches compare them, a line each. */
  readonly searchable: string;
}

/** Characters of descriptions kept in memory: of more than 10,000 rooms with names and topics. */
const DESCRIPTIONS_CHARACTERS_MAX = 12_000_000;
/** What a description takes beside its texts, about, in characters. */
const DESCRIPTION_CHARACTERS = 400;
/** Rooms that a join rule names and that are looked at; a rule that names more is cut. */
const ALLOWED_ROOMS_MAX = 100;

const TYPES: ReadonlySet<string> = new Set(DESCRIBING_TYPES);

function textIn(content: JsonObject | undefined, field: string): string | null {
  const value = content?.[field];
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The plain text of a topic. Client-Server API v1.19, "m.room.topic", `m.topic`: where it has several forms, the plain one alone counts. */
function plainTopic(content: JsonObject | undefined): string | null {
  const block = content?.['m.topic'];
  const forms = isJsonObject(block) ? block['m.text'] : undefined;
  if (!Array.isArray(forms)) return textIn(content, 'topic');
  const plain = (forms as readonly Json[])
    .filter(isJsonObject)
    .find(({ mimetype }) => mimetype === undefined || mimetype === 'text/plain');
  return textIn(plain, 'body');
}

/** True when the room's join rule, in its version, lets members of other rooms in. */
function isRestricted(version: RoomVersion, joinRule: string): boolean {
  return (
    (joinRule === 'restricted' && version.restricted) ||
    (joinRule === 'knock_restricted' && version.knockRestricted)
  );
}

/** Client-Server API v1.19, "m.room.join_rules", `m.room_membership`. */
function allowedRooms(content: JsonObject | undefined): readonly string[] {
  const allow = content?.['allow'];
  if (!Array.isArray(allow)) return [];
  return (allow as readonly Json[])
    .filter(isJsonObject)
    .filter(({ type }) => type === 'm.room_membership')
    .flatMap(({ room_id: roomId }) => (typeof roomId === 'string' ? [roomId] : []))
    .slice(0, ALLOWED_ROOMS_MAX);
}

/** What a room's state says of it; null for a state without a create event: this server is not in the room. */
function describe(
  roomId: string,
  version: RoomVersion,
  joined: number,
  contents: ReadonlyMap<string, JsonObject>,
): RoomDescription | null {
  const create = contents.get('m.room.create');
  if (create === undefined) return null;
  const joinRules = contents.get('m.room.join_rules');
  const joinRule = textIn(joinRules, 'join_rule') ?? 'invite';
  const visibility = contents.get('m.room.history_visibility')?.['history_visibility'];
  const name = textIn(contents.get('m.room.name'), 'name');
  const topic = plainTopic(contents.get('m.room.topic'));
  const canonicalAlias = textIn(contents.get('m.room.canonical_alias'), 'alias');
  return {
    roomId,
    version,
    joined,
    name,
    topic,
    canonicalAlias,
    avatarUrl: textIn(contents.get('m.room.avatar'), 'url'),
    joinRule,
    allowedRoomIds: isRestricted(version, joinRule) ? allowedRooms(joinRules) : [],
    isWorldReadable: parseHistoryVisibility(visibility) === 'world_readable',
    guestsCanJoin: textIn(contents.get('m.room.guest_access'), 'guest_access') === 'can_join',
    roomType: textIn(create, 'type'),
    encryption: textIn(contents.get('m.room.encryption'), 'algorithm'),
    searchable: toSearchable([name, topic, canonicalAlias].map((text) => text ?? '').join('\n')),
  };
}

/** Descriptions of rooms by room id; null for a room that this server is not in. */
export const roomDescriptionCache = defineCache<string, RoomDescription | null>({
  name: 'room-description',
  sizeMax: DESCRIPTIONS_CHARACTERS_MAX,
  size: (description) => DESCRIPTION_CHARACTERS + 2 * (description?.searchable.length ?? 0),
  async load(db, roomId) {
    const versionId = await findVersion(db, roomId);
    if (versionId === undefined) return null;
    const version = getRoomVersion(versionId);
    const events = (await readDescription(db, roomId)).map((event) => toShownState(version, event));
    const contents = new Map(events.map(({ type, content }) => [type, content]));
    return describe(roomId, version, await countJoined(db, roomId), contents);
  },
  reads: [findVersionOfRoom, readDescribingState, countJoinedMembers, hostsOfRoom, selectPartialRoom],
  keeps: (description) => description !== null,
  dependsOn: {
    'room-state': (fact) => (TYPES.has(fact.type) ? [fact.roomId] : []),
    membership: (fact) => [fact.roomId],
    'room-changed': (fact) => [fact.roomId],
    event: (fact) => [fact.roomId],
  },
});
