import type { StoredEvent } from '../../db/rooms/event-reader.ts';
import type { EventReference } from '../../src/matrix/events/build-event.ts';
import { referenceHash } from '../../src/matrix/events/hashes.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { redact } from '../../src/matrix/events/redaction.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';

/** The event of a stored row, as it counts now: redacted when a redaction was applied to it. */
export function parseStoredPdu(version: RoomVersion, stored: Pick<StoredEvent, 'pdu' | 'redactedBy'>): Pdu {
  const pdu = JSON.parse(stored.pdu) as Pdu;
  return stored.redactedBy === null ? pdu : redact(version, pdu);
}

/** How other events refer to a stored one. The hash is left out where the room version does not write it. */
export function referenceOf(version: RoomVersion, eventId: string, pduText: string): EventReference {
  if (version.eventIdFormat !== 'server-chosen') return { eventId, sha256: '' };
  const sha256 = referenceHash(version, JSON.parse(pduText) as Pdu);
  if (sha256 === undefined) throw new Error(`stored event ${eventId} has no reference hash`);
  return { eventId, sha256 };
}
