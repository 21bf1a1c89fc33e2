import type { Json, JsonObject } from '../../kit/json.ts';
import type { RoomVersion } from '../rooms/room-versions.ts';
import { redactsOf } from './pdu.ts';
import type { Pdu } from './pdu.ts';
import { redact } from './redaction.ts';
import { STICKY_FIELD, stickyDurationOf } from './stickiness.ts';

/** Servers send it to join the branches of a room, and have nothing to say with it. */
const DUMMY_EVENT = 'org.matrix.dummy_event';

/**
 * False for message events that are between servers only.
 *
 * @param stateKey null for message events
 */
export function isShownToClients(type: string, stateKey: string | null): boolean {
  return type !== DUMMY_EVENT || stateKey !== null;
}

/** What a server tells a client about an event, beside the event: `unsigned`. */
export interface ClientEventUnsigned {
  /** The redaction as a client event, when the event is redacted. */
  readonly redactedBecause?: JsonObject;
  /** The transaction that sent the event: only for the session that sent it. */
  readonly transactionId?: string;
  readonly ageMs?: number;
  /** Of a state event: the content that it replaced, when the user may see it. */
  readonly prevContent?: JsonObject;
  /** Of a state event: the id of the event that it replaced. */
  readonly replacesState?: string;
  /** The asking user's membership after the event; `leave` for who had none. */
  readonly membership?: string;
}

/** How a client event is to be written. */
export interface ClientEventOptions extends ClientEventUnsigned {
  /** False inside of sync, where the room is known by its place. */
  readonly includeRoomId: boolean;
}

/**
 * An event as clients get it. With `redactedBecause` it is redacted first. A redaction names its target both beside and within its
 * content, whatever its room version says.
 * Client-Server API v1.19, "Room event format" (ClientEvent); room version 11, "Moving the redacts property".
 */
export function toClientEvent(
  version: RoomVersion,
  eventId: string,
  roomId: string,
  pdu: Pdu,
  options: ClientEventOptions,
): JsonObject {
  const unsigned = unsignedOf(options);
  return {
    ...toShownEvent(version, eventId, pdu, options.redactedBecause !== undefined),
    ...(options.includeRoomId ? { room_id: roomId } : {}),
    ...(unsigned === undefined ? {} : { unsigned }),
  };
}

/**
 * The start of a client event's JSON text: everything that is the same for every reader, without the closing brace. Kept by caches;
 * {@link assembleClientEvent} makes it whole.
 *
 * @param isRedacted the event has been redacted, and is written as such
 */
export function clientEventCore(
  version: RoomVersion,
  eventId: string,
  pdu: Pdu,
  isRedacted: boolean,
): string {
  return JSON.stringify(toShownEvent(version, eventId, pdu, isRedacted)).slice(0, -1);
}

/**
 * The JSON text of a client event, from its cached start: parses to what {@link toClientEvent} gives.
 *
 * @param core of {@link clientEventCore}
 * @param roomId the room, or null inside of sync
 */
export function assembleClientEvent(
  core: string,
  roomId: string | null,
  unsigned: ClientEventUnsigned,
): string {
  const room = roomId === null ? '' : `,"room_id":${JSON.stringify(roomId)}`;
  const extra = unsignedOf(unsigned);
  return `${core}${room}${extra === undefined ? '' : `,"unsigned":${JSON.stringify(extra)}`}}`;
}

/**
 * The part of a client event that is the same for every reader: no `room_id` and no `unsigned`.
 *
 * @param isRedacted the event has been redacted, and is written as such
 */
export function toShownEvent(
  version: RoomVersion,
  eventId: string,
  original: Pdu,
  isRedacted: boolean,
): JsonObject {
  const pdu = isRedacted ? redact(version, original) : original;
  const redacts = redactsOf(version, pdu);
  return {
    content: redacts === undefined ? pdu.content : { ...pdu.content, redacts },
    event_id: eventId,
    ...(stickyDurationOf(pdu) === null ? {} : { [STICKY_FIELD]: pdu[STICKY_FIELD] as Json }),
    origin_server_ts: pdu.origin_server_ts,
    ...(redacts === undefined ? {} : { redacts }),
    sender: pdu.sender,
    ...(pdu.state_key === undefined ? {} : { state_key: pdu.state_key }),
    type: pdu.type,
  };
}

function unsignedOf(options: ClientEventUnsigned): JsonObject | undefined {
  const unsigned: Record<string, Json> = {};
  if (options.ageMs !== undefined) unsigned['age'] = options.ageMs;
  if (options.membership !== undefined) unsigned['membership'] = options.membership;
  if (options.prevContent !== undefined) unsigned['prev_content'] = options.prevContent;
  if (options.redactedBecause !== undefined) unsigned['redacted_because'] = options.redactedBecause;
  if (options.replacesState !== undefined) unsigned['replaces_state'] = options.replacesState;
  if (options.transactionId !== undefined) unsigned['transaction_id'] = options.transactionId;
  return Object.keys(unsigned).length === 0 ? undefined : unsigned;
}
