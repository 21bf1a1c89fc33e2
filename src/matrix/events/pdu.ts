import { isJsonObject } from '../../kit/json.ts';
import type { Json, JsonObject } from '../../kit/json.ts';
import { fitsInBytes, IDENTIFIER_BYTES_MAX } from '../identifiers/brand.ts';
import { domainOf } from '../identifiers/domain.ts';
import { parseEventId } from '../identifiers/event-id.ts';
import { isHashRoomId, parseRoomId } from '../identifiers/room-id.ts';
import { parseUserId } from '../identifiers/user-id.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import { OWNED_STATE_KEY_BYTES_MAX } from '../rooms/owned-state.ts';
import type { RoomVersion } from '../rooms/room-versions.ts';
import { canonicalJson } from './canonical-json.ts';

/** A PDU before it is hashed and signed: all that the authorisation rules look at. */
export interface ProtoPdu extends JsonObject {
  readonly type: string;
  readonly sender: string;
  /** Absent in the create event of room version 12 and later. */
  readonly room_id?: string;
  /** Room versions 1 and 2 only. */
  readonly event_id?: string;
  /** Present, even if empty, exactly when the event is state. */
  readonly state_key?: string;
  readonly content: JsonObject;
  readonly depth: number;
  /** Milliseconds since the Unix epoch. */
  readonly origin_server_ts: number;
  /** Event ids; in room versions 1 and 2 pairs of an id and hashes. Read them with `edgeIds`. */
  readonly prev_events: readonly Json[];
  readonly auth_events: readonly Json[];
  /** Of a redaction in room versions 1 to 10. */
  readonly redacts?: string;
  readonly unsigned?: JsonObject;
}

/** A persistent data unit: an event as servers exchange and store it. Server-Server API v1.19, "PDUs"; each room version's "Event format". */
export interface Pdu extends ProtoPdu {
  readonly hashes: JsonObject;
  /** By server name, then by key id. */
  readonly signatures: JsonObject;
}

/** The largest PDU as canonical JSON, signatures included, in bytes. Client-Server API v1.19, "Size limits". */
export const PDU_BYTES_MAX = 65_536;

/** Server-Server API v1.19, "PDUs". */
export const PREV_EVENTS_MAX = 20;
export const AUTH_EVENTS_MAX = 10;

/** 2^63 − 1 as near as a double comes to it: room versions 1 to 5 allow depths that JavaScript cannot count. */
const LENIENT_DEPTH_MAX = 2 ** 63;

/** The ids in `prev_events` or `auth_events`, of any room version; what is not an edge is left out. */
export function edgeIds(edges: readonly Json[]): readonly string[] {
  return edges.map((edge) => (Array.isArray(edge) ? edge[0] : edge)).filter((id) => typeof id === 'string');
}

/** The longest state key that a room version knows, in bytes of UTF-8. */
export function stateKeyBytesMax(version: RoomVersion): number {
  return version.ownedState ? OWNED_STATE_KEY_BYTES_MAX : IDENTIFIER_BYTES_MAX;
}

/** True for a state event. */
export function isState(pdu: ProtoPdu): boolean {
  return pdu.state_key !== undefined;
}

/** What a redaction redacts, wherever its room version keeps that; undefined for other events. */
export function redactsOf(version: RoomVersion, pdu: ProtoPdu): string | undefined {
  if (pdu.type !== 'm.room.redaction') return undefined;
  const target = version.redactsIn === 'content' ? pdu.content['redacts'] : pdu.redacts;
  return typeof target === 'string' ? target : undefined;
}

/**
 * Checks that JSON from elsewhere is a PDU of a room version: afterwards it may be treated as a `Pdu`. Neither signatures nor hashes
 * nor rules are looked at. The room version's "Event format"; Client-Server API v1.19, "Size limits".
 *
 * @returns refused with M_BAD_JSON naming the field, or M_TOO_LARGE (413); null when the format is right
 */
export function checkPduFormat(version: RoomVersion, pdu: JsonObject): Refusal | null {
  const wrong =
    wrongText(version, pdu) ??
    wrongIdentifier(version, pdu) ??
    wrongNumber(version, pdu) ??
    wrongStructure(version, pdu);
  if (wrong !== undefined) return refuse('M_BAD_JSON', `${wrong} is missing or malformed`);
  const text = canonicalJson(pdu, version.strictCanonicalJson ? 'strict' : 'lenient');
  if (text === undefined) return refuse('M_BAD_JSON', 'the event is not canonical JSON');
  if (!fitsInBytes(text, PDU_BYTES_MAX)) {
    return refuse('M_TOO_LARGE', `the event is larger than ${PDU_BYTES_MAX} bytes`);
  }
  return null;
}

function isShortText(value: Json | undefined, sizeBytesMax = IDENTIFIER_BYTES_MAX): value is string {
  return typeof value === 'string' && fitsInBytes(value, sizeBytesMax);
}

function wrongText(version: RoomVersion, pdu: JsonObject): string | undefined {
  if (!isShortText(pdu['type'])) return 'type';
  const { state_key: stateKey } = pdu;
  if (stateKey !== undefined && !isShortText(stateKey, stateKeyBytesMax(version))) return 'state_key';
  return pdu['redacts'] !== undefined && !isShortText(pdu['redacts']) ? 'redacts' : undefined;
}

function wrongIdentifier(version: RoomVersion, pdu: JsonObject): string | undefined {
  const { sender, event_id: eventId, room_id: roomId } = pdu;
  if (typeof sender !== 'string' || parseUserId(sender) === undefined) return 'sender';
  if (version.eventIdFormat === 'server-chosen') {
    if (typeof eventId !== 'string' || parseEventId(eventId) === undefined) return 'event_id';
    if (domainOf(eventId) === undefined) return 'event_id';
  }
  if (roomId === undefined) {
    const makesRoomId = version.roomIdFormat === 'create-event' && pdu['type'] === 'm.room.create';
    return makesRoomId ? undefined : 'room_id';
  }
  if (typeof roomId !== 'string' || parseRoomId(roomId) === undefined) return 'room_id';
  return isHashRoomId(roomId) === (version.roomIdFormat === 'create-event') ? undefined : 'room_id';
}

function wrongNumber(version: RoomVersion, pdu: JsonObject): string | undefined {
  const { depth, origin_server_ts: originServerTs } = pdu;
  const depthMax = version.strictCanonicalJson ? Number.MAX_SAFE_INTEGER : LENIENT_DEPTH_MAX;
  if (!Number.isInteger(depth) || Number(depth) < 0 || Number(depth) > depthMax) return 'depth';
  return Number.isInteger(originServerTs) ? undefined : 'origin_server_ts';
}

function wrongStructure(version: RoomVersion, pdu: JsonObject): string | undefined {
  if (!isJsonObject(pdu['content'])) return 'content';
  if (!isJsonObject(pdu['hashes']) || typeof pdu['hashes']['sha256'] !== 'string') return 'hashes';
  if (!areSignatures(pdu['signatures'])) return 'signatures';
  if (pdu['unsigned'] !== undefined && !isJsonObject(pdu['unsigned'])) return 'unsigned';
  if (!areEdges(version, pdu['prev_events'], PREV_EVENTS_MAX)) return 'prev_events';
  return areEdges(version, pdu['auth_events'], AUTH_EVENTS_MAX) ? undefined : 'auth_events';
}

function areSignatures(value: Json | undefined): boolean {
  if (!isJsonObject(value)) return false;
  return Object.values(value).every(
    (ofServer) => isJsonObject(ofServer) && Object.values(ofServer).every((text) => typeof text === 'string'),
  );
}

function areEdges(version: RoomVersion, edges: Json | undefined, countMax: number): boolean {
  if (!Array.isArray(edges) || edges.length > countMax) return false;
  return edges.every((edge: Json) => {
    if (version.eventIdFormat !== 'server-chosen') {
      return typeof edge === 'string' && parseEventId(edge) !== undefined;
    }
    if (!Array.isArray(edge) || edge.length !== 2 || !isJsonObject(edge[1])) return false;
    return typeof edge[0] === 'string' && parseEventId(edge[0]) !== undefined;
  });
}
