import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import { eventIdOf } from '../../src/matrix/events/event-id.ts';
import { checkPduFormat, type Pdu } from '../../src/matrix/events/pdu.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { createEventIdOfRoom } from '../../src/matrix/identifiers/room-id.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import {
  findRoomVersion,
  KNOWN_ROOM_VERSIONS,
  type RoomVersion,
} from '../../src/matrix/rooms/room-versions.ts';
import type { InputOf } from '../kit/protocol.ts';
import { parseForeignEvent } from './foreign-event.ts';
import type { RoomsProtocol } from './protocol.ts';

type ReceiveInvite = InputOf<RoomsProtocol, 'rooms.receive-invite'>;

/** Events of stripped state that are kept of an invite, and what they may take as JSON, together. What is beyond is left out. */
export const STRIPPED_EVENTS_MAX = 100;
export const STRIPPED_CHARACTERS_MAX = 131_072;

/** Room versions 1 to 10 have a create event without it, which is of version 1. */
const VERSION_WITHOUT_NAME = '1';

/** An invite that says what it is. */
export interface CheckedInvite {
  readonly version: RoomVersion;
  readonly pdu: Pdu;
  /** The local user who is invited. */
  readonly target: string;
  /** What the other server says of its room, as clients get it. */
  readonly strippedState: readonly JsonObject[];
  /** Who made the room, as far as the invite tells; empty where it does not. */
  readonly creator: string;
}

/** Finds a room version that this server can take part in. */
export function knownVersion(id: string): RoomVersion | Refusal {
  const version = findRoomVersion(id);
  if (version !== undefined) return version;
  const known = KNOWN_ROOM_VERSIONS.map((one) => one.id).join(', ');
  return refuse('M_UNSUPPORTED_ROOM_VERSION', `room version ${id} is none of ${known}`);
}

/**
 * In room version 12 the create event makes the room's id: it has to come whole, and prove the id. Before, it may be missing or stripped.
 * Room version 12, "Room IDs"; Server-Server API v1.19, `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`.
 */
function checkCreate(
  version: RoomVersion,
  roomId: string,
  create: JsonObject | undefined,
): Refusal | undefined {
  if (version.roomIdFormat === 'create-event') {
    if (create === undefined) return refuse('M_MISSING_PARAM', 'invite_room_state has no m.room.create');
    const isWhole = checkPduFormat(version, create) === null;
    const eventId = isWhole ? eventIdOf(version, create as unknown as Pdu) : undefined;
    if (eventId !== createEventIdOfRoom(roomId))
      return refuse('M_INVALID_PARAM', `the m.room.create of invite_room_state is not that of ${roomId}`);
  }
  const content = create?.['content'];
  if (!isJsonObject(content)) return undefined;
  if ((content['room_version'] ?? VERSION_WITHOUT_NAME) === version.id) return undefined;
  return refuse('M_INVALID_PARAM', `the m.room.create of invite_room_state is not of version ${version.id}`);
}

function isStateEvent(event: JsonObject): boolean {
  const { type, state_key: stateKey, sender, content } = event;
  return [type, stateKey, sender].every((field) => typeof field === 'string') && isJsonObject(content);
}

/** What clients get of the events: nothing but what makes stripped state. Client-Server API v1.19, "Stripped state". */
function stripState(events: readonly JsonObject[]): readonly JsonObject[] {
  const stripped: JsonObject[] = [];
  let characters = 0;
  for (const { type, state_key: stateKey, sender, content } of events.filter(isStateEvent)) {
    const event = { type, state_key: stateKey, sender, content } as JsonObject;
    characters += JSON.stringify(event).length;
    if (stripped.length === STRIPPED_EVENTS_MAX || characters > STRIPPED_CHARACTERS_MAX) break;
    stripped.push(event);
  }
  return stripped;
}

/** What another server tells of its room to who is not in it. */
interface ToldState {
  /** As clients get it. */
  readonly strippedState: readonly JsonObject[];
  /** Who made the room; empty where it is not told. */
  readonly creator: string;
}

/**
 * Checks what another server tells of its room beside an invite or a knock.
 *
 * @returns refused with M_MISSING_PARAM or M_INVALID_PARAM when the create event is missing where it must not be, or is of another room or
 * version
 */
export function checkToldState(
  version: RoomVersion,
  roomId: string,
  state: readonly JsonObject[],
): ToldState | Refusal {
  const create = state.find((event) => event['type'] === 'm.room.create' && event['state_key'] === '');
  const wrong = checkCreate(version, roomId, create);
  if (wrong !== undefined) return wrong;
  const creator = typeof create?.['sender'] === 'string' ? create['sender'] : '';
  return { strippedState: stripState(state), creator };
}

/**
 * Checks what an invite says of itself: the sender has checked its signatures.
 *
 * @returns refused with M_UNSUPPORTED_ROOM_VERSION; M_BAD_JSON when it is no invite of a local user to the room; M_MISSING_PARAM or
 * M_INVALID_PARAM when the create event is missing where it must not be, or is of another room or version
 */
export function checkInvite(input: ReceiveInvite, serverName: string): CheckedInvite | Refusal {
  const version = knownVersion(input.roomVersion);
  if (isRefusal(version)) return version;
  const pdu = parseForeignEvent(version, input.roomId, input.event.pdu);
  if (isRefusal(pdu)) return pdu;
  const { type, state_key: target, content } = pdu;
  if (type !== 'm.room.member' || content['membership'] !== 'invite' || target === undefined)
    return refuse('M_BAD_JSON', 'the event is no invite');
  if (!isOfServer(target, serverName)) return refuse('M_BAD_JSON', `${target} is not a user of this server`);
  const told = checkToldState(version, input.roomId, input.strippedState);
  return isRefusal(told) ? told : { version, pdu, target, ...told };
}
