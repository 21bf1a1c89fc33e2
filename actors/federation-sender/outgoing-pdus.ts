import { LRUCache } from 'lru-cache';
import type { OutgoingEvent } from '../../db/federation-sender/event-reader.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { redact } from '../../src/matrix/events/redaction.ts';
import { findRoomVersion } from '../../src/matrix/rooms/room-versions.ts';

/** Events that stand in memory as they were read: about what goes to other servers within a second. */
const REMEMBERED_MAX = 200;

/** Gives an event as it goes to other servers. */
export type ReadPdu = (event: OutgoingEvent) => JsonObject;

/** As it goes to other servers: what was redacted since goes redacted, and nothing goes that was not signed. */
function readPdu({ pdu: text, roomVersion, isRedacted }: OutgoingEvent): JsonObject {
  const { unsigned: _, ...pdu } = JSON.parse(text) as Pdu;
  const version = findRoomVersion(roomVersion);
  return isRedacted === 0 || version === undefined ? pdu : redact(version, pdu);
}

/** Reads an event once for all servers that get it, and anew when what is stored has changed. */
export function createPduReader(): ReadPdu {
  const known = new LRUCache<number, { readonly event: OutgoingEvent; readonly pdu: JsonObject }>({
    max: REMEMBERED_MAX,
  });
  return (event) => {
    const last = known.get(event.eventNid);
    if (last?.event.pdu === event.pdu && last.event.isRedacted === event.isRedacted) return last.pdu;
    const pdu = readPdu(event);
    known.set(event.eventNid, { event, pdu });
    return pdu;
  };
}
