import { type JsonObject, isJsonObject } from '../../kit/json.ts';
import { eventIdOf } from '../../matrix/events/event-id.ts';
import { requiredSigners } from '../../matrix/events/event-signatures.ts';
import { hasValidContentHash, referenceText } from '../../matrix/events/hashes.ts';
import { isKeyValidFor } from '../../matrix/events/key-validity.ts';
import { checkPduFormat, type Pdu } from '../../matrix/events/pdu.ts';
import { POLICY_KEY_ID } from '../../matrix/events/policy-signature.ts';
import { redact } from '../../matrix/events/redaction.ts';
import { roomIdOfCreateEvent } from '../../matrix/identifiers/room-id.ts';
import type { RoomVersion } from '../../matrix/rooms/room-versions.ts';
import { parseVerifyKey, signatureOf, signingKeyIdsOf, verifyText } from '../../matrix/signing.ts';
import type { CheckedEvent, FoundKey, WantedKey } from '../../../actors/server-keys/protocol.ts';

/** Signatures of one server on one event that are looked at. */
const SIGNATURES_TRIED_MAX = 5;

/** A server that must have signed an event, with the keys that it says it signed with. */
interface Signer {
  readonly serverName: string;
  readonly keyIds: readonly string[];
}

/** An event whose format is right, with what its signatures need. */
export interface SignedEvent {
  readonly kind: 'signed';
  readonly pdu: Pdu;
  readonly eventId: string;
  /** The text that signatures sign. */
  readonly text: string;
  readonly signers: readonly Signer[];
}

type InvalidEvent = Extract<CheckedEvent, { readonly kind: 'invalid' }>;

function invalid(eventId: string | null, reason: string): InvalidEvent {
  return { kind: 'invalid', eventId, reason };
}

function signersOf(version: RoomVersion, pdu: Pdu): readonly Signer[] {
  return requiredSigners(version, pdu).map((serverName) => ({
    serverName,
    // A policy server signs with a key that the room names: no server publishes it as its own.
    keyIds: signingKeyIdsOf(pdu, serverName)
      .filter((keyId) => keyId.startsWith('ed25519:') && keyId !== POLICY_KEY_ID)
      .slice(0, SIGNATURES_TRIED_MAX),
  }));
}

/**
 * Looks at an event's format, and says which keys its signatures need. What stands in `unsigned` is dropped: nobody has signed it.
 * Server-Server API v1.19, "Checks performed on receipt of a PDU", 1.
 */
export function readSignedEvent(version: RoomVersion, event: JsonObject): SignedEvent | InvalidEvent {
  const wrong = checkPduFormat(version, event);
  if (wrong !== null) return invalid(eventIdIfAny(version, event), wrong.error);
  const { unsigned: _unsigned, ...pdu } = event as Pdu;
  const eventId = eventIdOf(version, pdu);
  const text = referenceText(version, pdu);
  if (eventId === undefined || text === undefined) return invalid(null, 'the event has no id');
  const signers = signersOf(version, pdu);
  const unsigned = signers.find(({ keyIds }) => keyIds.length === 0);
  if (unsigned !== undefined) return invalid(eventId, `${unsigned.serverName} has not signed it`);
  return { kind: 'signed', pdu, eventId, text, signers };
}

/** The id of an event that may lack anything. */
function eventIdIfAny(version: RoomVersion, event: JsonObject): string | null {
  if (version.eventIdFormat === 'server-chosen')
    return typeof event['event_id'] === 'string' ? event['event_id'] : null;
  const isWhole = typeof event['type'] === 'string' && typeof event['content'] === 'object';
  return isWhole && event['content'] !== null ? (eventIdOf(version, event as Pdu) ?? null) : null;
}

/** True when an event has what tells its signers, whatever else is wrong with it. */
function namesItsSigners(event: JsonObject): event is Pdu {
  return (
    typeof event['type'] === 'string' &&
    typeof event['sender'] === 'string' &&
    isJsonObject(event['content']) &&
    typeof event['origin_server_ts'] === 'number' &&
    (event['event_id'] === undefined || typeof event['event_id'] === 'string')
  );
}

/** The keys that an event's signatures need, found without looking at the whole of it: none where it cannot be right. */
export function wantedKeysOf(version: RoomVersion, event: JsonObject): readonly WantedKey[] {
  if (!namesItsSigners(event)) return [];
  const validAtTs = version.enforceKeyValidity ? event.origin_server_ts : 0;
  return signersOf(version, event).flatMap(({ serverName, keyIds }) =>
    keyIds.map((keyId) => ({ serverName, keyId, validAtTs })),
  );
}

/** How keys are looked up: by `<server name> <key id>`. */
export type KeysByName = ReadonlyMap<string, FoundKey>;

/** The name of a key in {@link KeysByName}. */
export function keyName({
  serverName,
  keyId,
}: {
  readonly serverName: string;
  readonly keyId: string;
}): string {
  return `${serverName} ${keyId}`;
}

/** Why the signatures are not enough; undefined when each server that must have signed has. */
function wrongSignature(
  version: RoomVersion,
  event: SignedEvent,
  keys: KeysByName,
  nowTs: number,
): string | undefined {
  for (const { serverName, keyIds } of event.signers) {
    const known = keyIds.flatMap((keyId) => keys.get(keyName({ serverName, keyId })) ?? []);
    if (known.length === 0) return `no key of ${serverName} that has signed it can be had`;
    const valid = known.filter((key) => isKeyValidFor(version, key, event.pdu.origin_server_ts, nowTs));
    if (valid.length === 0) return `the key of ${serverName} was not valid when it was sent`;
    const isSigned = valid.some((found) => {
      const key = parseVerifyKey(found.keyId, found.publicKey);
      const signature = signatureOf(event.pdu, serverName, found.keyId);
      return key !== undefined && signature !== undefined && verifyText(event.text, signature, key);
    });
    if (!isSigned) return `the signature of ${serverName} is wrong`;
  }
  return undefined;
}

/**
 * Looks at an event's signatures and its content hash. Server-Server API v1.19, "Checks performed on receipt of a PDU", 2 and 3.
 *
 * @param nowTs milliseconds since the Unix epoch
 */
export function checkSignedEvent(
  version: RoomVersion,
  event: SignedEvent,
  keys: KeysByName,
  nowTs: number,
): CheckedEvent {
  const { pdu, eventId } = event;
  const wrong = wrongSignature(version, event, keys, nowTs);
  if (wrong !== undefined) return invalid(eventId, wrong);
  const kept = hasValidContentHash(version, pdu) ? pdu : redact(version, pdu);
  const roomId = pdu.room_id ?? roomIdOfCreateEvent(eventId);
  return { kind: 'valid', event: { eventId, pdu: JSON.stringify(kept) }, roomId };
}
