import { isJsonObject, type Json } from '../../src/kit/json.ts';
import { canonicalJson } from '../../src/matrix/events/canonical-json.ts';
import { eventIdOf } from '../../src/matrix/events/event-id.ts';
import { canonicalModeOf, hasValidContentHash, referenceHash } from '../../src/matrix/events/hashes.ts';
import { checkPduFormat, type Pdu } from '../../src/matrix/events/pdu.ts';
import { roomIdOfCreateEvent } from '../../src/matrix/identifiers/room-id.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { ReceivedEvent } from './protocol.ts';
import { withoutKeys } from './without-keys.ts';

/** An event of another server, its format checked. */
export interface ReceivedPdu {
  readonly eventId: string;
  /** Without `unsigned`: nobody has signed it. */
  readonly pdu: Pdu;
  /** The same as canonical JSON: what is stored. */
  readonly json: string;
  /** The reference hash; only room versions 1 and 2 need it. */
  readonly sha256: string;
}

/** The greatest depth that the next event can count with: older room versions allow more. */
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Places of the state are found by their texts: one that cannot be written as UTF-8 would be taken for another. */
function hasUsableNames(pdu: Pdu): boolean {
  const { type, state_key: stateKey = '' } = pdu;
  return type.isWellFormed() && stateKey.isWellFormed() && !type.includes('\u0000');
}

/**
 * Reads an event of another server: its format and its sizes, the room it is of, and that it has the id it is said to have.
 * Server-Server API v1.19, "Checks performed on receipt of a PDU", 1.
 *
 * @returns refused with M_BAD_JSON or M_TOO_LARGE, naming the field
 */
export function parseReceived(
  version: RoomVersion,
  roomId: string,
  event: ReceivedEvent,
): ReceivedPdu | Refusal {
  const parsed = parseJson(event.pdu);
  if (!isJsonObject(parsed)) return refuse('M_BAD_JSON', 'the event is not a JSON object');
  const wrong = checkPduFormat(version, parsed);
  if (wrong !== null) return wrong;
  const pdu = withoutKeys(parsed, 'unsigned') as Pdu;
  if (!hasUsableNames(pdu)) return refuse('M_BAD_JSON', 'type or state_key is missing or malformed');
  const json = canonicalJson(pdu, canonicalModeOf(version));
  if (json === undefined || eventIdOf(version, pdu) !== event.eventId)
    return refuse('M_BAD_JSON', `the event is not ${event.eventId}`);
  if ((pdu.room_id ?? roomIdOfCreateEvent(event.eventId)) !== roomId)
    return refuse('M_BAD_JSON', `room_id is not ${roomId}`);
  const sha256 = version.eventIdFormat === 'server-chosen' ? referenceHash(version, pdu) : '';
  if (sha256 === undefined) throw new Error(`the event ${event.eventId} has no reference hash`);
  return { eventId: event.eventId, pdu, json, sha256 };
}

/** The depth that the next event counts from. */
export function depthOf(pdu: Pdu): number {
  return Math.min(pdu.depth, DEPTH_MAX);
}

/**
 * Which of two copies of one event is kept: the one that is stored, unless that was redacted because its hash was wrong and the other is
 * whole.
 *
 * @param stored JSON
 */
export function betterCopy(version: RoomVersion, received: ReceivedPdu, stored: string): ReceivedPdu {
  const pdu = JSON.parse(stored) as Pdu;
  const isBetter =
    hasValidContentHash(version, received.pdu) &&
    !hasValidContentHash(version, pdu) &&
    referenceHash(version, pdu) === referenceHash(version, received.pdu);
  return isBetter ? received : { ...received, pdu, json: stored };
}
