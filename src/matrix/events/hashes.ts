import { hash } from 'node:crypto';
import type { RoomVersion } from '../rooms/room-versions.ts';
import { canonicalJsonWithout } from './canonical-json.ts';
import type { CanonicalMode } from './canonical-json.ts';
import type { Pdu, ProtoPdu } from './pdu.ts';
import { redact } from './redaction.ts';

const NOT_IN_CONTENT_HASH: ReadonlySet<string> = new Set(['unsigned', 'signatures', 'hashes']);
const NOT_IN_REFERENCE: ReadonlySet<string> = new Set(['unsigned', 'signatures']);

/** The canonical JSON rules of a room version. */
export function canonicalModeOf(version: RoomVersion): CanonicalMode {
  return version.strictCanonicalJson ? 'strict' : 'lenient';
}

/** SHA-256 of a text as UTF-8, in unpadded base64. */
export function sha256Base64(text: string): string {
  return hash('sha256', text, 'base64').slice(0, SHA256_BASE64_LENGTH);
}

/** SHA-256 of a text as UTF-8, in unpadded URL-safe base64. */
export function sha256UrlSafeBase64(text: string): string {
  return hash('sha256', text, 'base64url');
}

/** 32 bytes in base64 without the one `=` at the end. */
const SHA256_BASE64_LENGTH = 43;

/**
 * The content hash of an event: all of it but `unsigned`, `signatures` and `hashes`, in unpadded base64.
 * Server-Server API v1.19, "Calculating the content hash for an event".
 *
 * @returns undefined when the event cannot be written as canonical JSON of its room version
 */
export function contentHash(version: RoomVersion, pdu: ProtoPdu): string | undefined {
  const text = canonicalJsonWithout(pdu, NOT_IN_CONTENT_HASH, canonicalModeOf(version));
  return text === undefined ? undefined : sha256Base64(text);
}

/** True when `hashes.sha256` is the content hash: otherwise only the redacted event may be kept. */
export function hasValidContentHash(version: RoomVersion, pdu: Pdu): boolean {
  return pdu.hashes['sha256'] !== undefined && pdu.hashes['sha256'] === contentHash(version, pdu);
}

/**
 * The text that an event's signatures sign and its reference hash is taken of: the redacted event without `signatures` and `unsigned`.
 * Server-Server API v1.19, "Signing Events", "Calculating the reference hash for an event".
 *
 * @returns undefined when the event cannot be written as canonical JSON of its room version
 */
export function referenceText(version: RoomVersion, pdu: Pdu): string | undefined {
  return canonicalJsonWithout(redact(version, pdu), NOT_IN_REFERENCE, canonicalModeOf(version));
}

/**
 * The reference hash of an event, in unpadded standard base64.
 *
 * @returns undefined when the event cannot be written as canonical JSON of its room version
 */
export function referenceHash(version: RoomVersion, pdu: Pdu): string | undefined {
  const text = referenceText(version, pdu);
  return text === undefined ? undefined : sha256Base64(text);
}
