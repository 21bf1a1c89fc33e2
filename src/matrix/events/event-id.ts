import type { RoomVersion } from '../rooms/room-versions.ts';
import { referenceText, sha256Base64, sha256UrlSafeBase64 } from './hashes.ts';
import type { Pdu } from './pdu.ts';

/**
 * The id of an event. Room versions 1 and 2 carry it; later it is the reference hash.
 * Each room version, "Event IDs".
 *
 * @returns undefined when there is none: the key is missing (1–2), or the event is not canonical JSON
 */
export function eventIdOf(version: RoomVersion, pdu: Pdu): string | undefined {
  if (version.eventIdFormat === 'server-chosen') return pdu.event_id;
  const text = referenceText(version, pdu);
  return text === undefined ? undefined : eventIdOfReferenceText(version, text);
}

/** The id of an event of room version 3 or later, from its reference text. */
export function eventIdOfReferenceText(version: RoomVersion, text: string): string {
  return `$${version.eventIdFormat === 'base64' ? sha256Base64(text) : sha256UrlSafeBase64(text)}`;
}
