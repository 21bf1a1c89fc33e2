import type { Json, JsonObject } from '../../kit/json.ts';
import { fitsInBytes, IDENTIFIER_BYTES_MAX } from '../identifiers/brand.ts';
import { domainOf } from '../identifiers/domain.ts';
import { roomIdOfCreateEvent } from '../identifiers/room-id.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { RoomVersion } from '../rooms/room-versions.ts';
import { signText } from '../signing.ts';
import type { ServerKey } from '../signing.ts';
import { canonicalJson, canonicalString } from './canonical-json.ts';
import type { CanonicalMode } from './canonical-json.ts';
import { eventIdOfReferenceText } from './event-id.ts';
import { canonicalModeOf, sha256Base64 } from './hashes.ts';
import { AUTH_EVENTS_MAX, PDU_BYTES_MAX, PREV_EVENTS_MAX, stateKeyBytesMax } from './pdu.ts';
import type { Pdu } from './pdu.ts';
import { redactContent } from './redaction.ts';
import { STICKY_FIELD } from './stickiness.ts';

/** An event as `prev_events` and `auth_events` name it. */
export interface EventReference {
  readonly eventId: string;
  /** The reference hash in unpadded base64: what room versions 1 and 2 write beside the id. */
  readonly sha256: string;
}

/** All that decides an event of ours. */
export interface BuildEventInput {
  readonly version: RoomVersion;
  /** Null for the create event of room version 12: its hash becomes the room's id. */
  readonly roomId: string | null;
  readonly sender: string;
  readonly type: string;
  /** Absent for message events. */
  readonly stateKey?: string;
  readonly content: JsonObject;
  readonly prevEvents: readonly EventReference[];
  readonly authEvents: readonly EventReference[];
  readonly depth: number;
  /** Milliseconds since the Unix epoch. */
  readonly originServerTs: number;
  /** What a redaction redacts: written where the room version wants it. */
  readonly redacts?: string;
  /** For how long it is sticky, in milliseconds. MSC4354. */
  readonly stickyDurationMs?: number;
  /** Goes with the event, neither hashed nor signed. */
  readonly unsigned?: JsonObject;
  /** Room versions 1 and 2: the opaque part of the event id. */
  readonly eventIdLocalpart?: string;
}

/** Who signs. */
export interface EventSigner {
  readonly serverName: string;
  readonly key: ServerKey;
}

/** A finished event. */
export interface BuiltEvent {
  readonly eventId: string;
  readonly roomId: string;
  /** The reference hash in unpadded standard base64: makes this event's {@link EventReference}. */
  readonly sha256: string;
  readonly pdu: Pdu;
  /** The PDU as canonical JSON, as it is stored and sent. */
  readonly json: string;
}

/**
 * Makes an event: hashes it, signs it and finds its id. The content is written as canonical JSON once, and the three texts that are
 * needed (hashed, signed, stored) are put together from parts, for this is on the path of every message.
 * Server-Server API v1.19, "Signing Events"; the room version's "Event format".
 *
 * @returns refused with M_BAD_JSON when the content is not canonical JSON of the room version, M_TOO_LARGE (413) above 65,536 bytes
 * or when a field such as `type` or `state_key` is longer than 255
 */
export function buildEvent(input: BuildEventInput, signer: EventSigner): BuiltEvent | Refusal {
  const { version } = input;
  const refusal = refuseFields(input);
  if (refusal !== undefined) return refusal;
  const mode = canonicalModeOf(version);
  const content = contentOf(input);
  const contentText = canonicalJson(content, mode);
  if (contentText === undefined) {
    return refuse('M_BAD_JSON', 'content is not canonical JSON: numbers must be integers within ±(2^53 − 1)');
  }
  const texts = textsOf(input);
  const hashText = sha256Base64(
    `${texts.authEvents},"content":${contentText},${texts.depth},${texts.sticky}${texts.ts},${texts.redacts}${texts.rest}}`,
  );
  const keptContent = redactedContentText(version, input.type, content, contentText, mode);
  const hashes = `"hashes":{"sha256":"${hashText}"}`;
  const referenceText = `${texts.authEvents},"content":${keptContent},${texts.depth},${hashes},${texts.ts},${texts.rest}}`;
  const signature = signText(referenceText, signer.key);
  const json =
    `${texts.authEvents},"content":${contentText},${texts.depth},${hashes},${texts.sticky}${texts.ts},${texts.redacts}` +
    `${texts.room}${texts.sender},"signatures":{${canonicalString(signer.serverName)}:{"${signer.key.keyId}":"${signature}"}},` +
    `${texts.stateKey}${texts.type}${unsignedText(input.unsigned)}}`;
  if (!fitsInBytes(json, PDU_BYTES_MAX)) {
    return refuse('M_TOO_LARGE', `the event is larger than ${PDU_BYTES_MAX} bytes`);
  }
  const sha256 = sha256Base64(referenceText);
  const eventId = texts.eventId ?? eventIdOfReferenceText(version, referenceText);
  return {
    eventId,
    roomId: input.roomId ?? roomIdOfCreateEvent(eventId),
    sha256,
    pdu: pduOf(input, content, texts.eventId, hashText, signer, signature),
    json,
  };
}

/** The parts of the canonical text that do not depend on a hash, each with the comma that belongs to it. */
interface EventTexts {
  /** `{"auth_events":[…]` */
  readonly authEvents: string;
  /** `"depth":1`, and in room versions 1 and 2 `,"event_id":"…"` */
  readonly depth: string;
  /** `"msc4354_sticky":{…},` or nothing: a redaction takes it away. */
  readonly sticky: string;
  /** `"origin_server_ts":1,"prev_events":[…]` */
  readonly ts: string;
  /** `"redacts":"…",` or nothing: a redaction takes it away. */
  readonly redacts: string;
  /** `"room_id":"…",` or nothing. */
  readonly room: string;
  /** `"sender":"…"` */
  readonly sender: string;
  /** `"state_key":"…",` or nothing. */
  readonly stateKey: string;
  /** `"type":"…"` */
  readonly type: string;
  /** From `room_id` to `type`, without signatures. */
  readonly rest: string;
  readonly eventId: string | undefined;
}

function textsOf(input: BuildEventInput): EventTexts {
  const { version } = input;
  const eventId = serverChosenEventId(input);
  const eventIdText = eventId === undefined ? '' : `,"event_id":${canonicalString(eventId)}`;
  const redactsText =
    input.redacts === undefined || version.redactsIn === 'content'
      ? ''
      : `"redacts":${canonicalString(input.redacts)},`;
  const room = input.roomId === null ? '' : `"room_id":${canonicalString(input.roomId)},`;
  const sender = `"sender":${canonicalString(input.sender)}`;
  const stateKey = input.stateKey === undefined ? '' : `"state_key":${canonicalString(input.stateKey)},`;
  const type = `"type":${canonicalString(input.type)}`;
  return {
    authEvents: `{"auth_events":${edgesText(version, input.authEvents)}`,
    depth: `"depth":${depthOf(input)}${eventIdText}`,
    sticky: stickyText(input),
    ts: `"origin_server_ts":${input.originServerTs},"prev_events":${edgesText(version, input.prevEvents)}`,
    redacts: redactsText,
    room,
    sender,
    stateKey,
    type,
    rest: `${room}${sender},${stateKey}${type}`,
    eventId,
  };
}

function stickyText({ stickyDurationMs }: BuildEventInput): string {
  return stickyDurationMs === undefined ? '' : `"${STICKY_FIELD}":{"duration_ms":${stickyDurationMs}},`;
}

/** Depths stop growing at the largest integer of canonical JSON: another server may have sent an event that deep. */
function depthOf(input: BuildEventInput): number {
  return Math.min(input.depth, Number.MAX_SAFE_INTEGER);
}

function serverChosenEventId(input: BuildEventInput): string | undefined {
  if (input.version.eventIdFormat !== 'server-chosen') return undefined;
  if (input.eventIdLocalpart === undefined) {
    throw new Error(`room version ${input.version.id} needs an event id of the server's choice`);
  }
  return `$${input.eventIdLocalpart}:${domainOf(input.sender)}`;
}

function edgesText(version: RoomVersion, edges: readonly EventReference[]): string {
  if (version.eventIdFormat !== 'server-chosen') {
    return `[${edges.map((edge) => canonicalString(edge.eventId)).join(',')}]`;
  }
  const pairs = edges.map((edge) => `[${canonicalString(edge.eventId)},{"sha256":"${edge.sha256}"}]`);
  return `[${pairs.join(',')}]`;
}

function edgesJson(version: RoomVersion, edges: readonly EventReference[]): readonly Json[] {
  if (version.eventIdFormat !== 'server-chosen') return edges.map((edge) => edge.eventId);
  return edges.map((edge) => [edge.eventId, { sha256: edge.sha256 }]);
}

/** The content as it goes into the event: from room version 11 on a redaction's target is in it. */
function contentOf(input: BuildEventInput): JsonObject {
  if (input.redacts === undefined || input.version.redactsIn === 'event') return input.content;
  return { ...input.content, redacts: input.redacts };
}

/** The canonical text of what a redaction leaves of the content; nearly always that is nothing, or all. */
function redactedContentText(
  version: RoomVersion,
  type: string,
  content: JsonObject,
  contentText: string,
  mode: CanonicalMode,
): string {
  const rule = version.redaction.content.get(type);
  if (rule === undefined) return '{}';
  if (rule === 'all') return contentText;
  const text = canonicalJson(redactContent(version, type, content), mode);
  if (text === undefined) throw new Error('a part of canonical JSON is not canonical JSON');
  return text;
}

function unsignedText(unsigned: JsonObject | undefined): string {
  if (unsigned === undefined) return '';
  const text = canonicalJson(unsigned, 'lenient');
  if (text === undefined) throw new Error('unsigned is not JSON');
  return `,"unsigned":${text}`;
}

/** Checks the texts that become fields of their own. The counts of edges are the caller's to keep: more is a defect. */
function refuseFields(input: BuildEventInput): Refusal | undefined {
  if (input.prevEvents.length > PREV_EVENTS_MAX || input.authEvents.length > AUTH_EVENTS_MAX) {
    throw new Error('an event has too many prev_events or auth_events');
  }
  const { type, sender, stateKey: state_key = '', redacts = '', roomId: room_id } = input;
  for (const [field, text] of Object.entries({ type, state_key, redacts, sender, room_id: room_id ?? '' })) {
    const sizeBytesMax = field === 'state_key' ? stateKeyBytesMax(input.version) : IDENTIFIER_BYTES_MAX;
    if (!fitsInBytes(text, sizeBytesMax)) {
      return refuse('M_TOO_LARGE', `${field} is longer than ${sizeBytesMax} bytes`);
    }
    if (!text.isWellFormed()) return refuse('M_BAD_JSON', `${field} is not well-formed Unicode`);
  }
  return undefined;
}

function pduOf(
  input: BuildEventInput,
  content: JsonObject,
  eventId: string | undefined,
  sha256: string,
  signer: EventSigner,
  signature: string,
): Pdu {
  const { version } = input;
  return {
    auth_events: edgesJson(version, input.authEvents),
    content,
    depth: depthOf(input),
    ...(eventId === undefined ? {} : { event_id: eventId }),
    hashes: { sha256 },
    ...(input.stickyDurationMs === undefined
      ? {}
      : { [STICKY_FIELD]: { duration_ms: input.stickyDurationMs } }),
    origin_server_ts: input.originServerTs,
    prev_events: edgesJson(version, input.prevEvents),
    ...(input.redacts === undefined || version.redactsIn === 'content' ? {} : { redacts: input.redacts }),
    ...(input.roomId === null ? {} : { room_id: input.roomId }),
    sender: input.sender,
    signatures: { [signer.serverName]: { [signer.key.keyId]: signature } },
    ...(input.stateKey === undefined ? {} : { state_key: input.stateKey }),
    type: input.type,
    ...(input.unsigned === undefined ? {} : { unsigned: input.unsigned }),
  };
}
