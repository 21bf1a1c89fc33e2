import { findEvent } from '../../db/rooms/event-reader.ts';
import type { Pdu } from '../matrix/events/pdu.ts';
import { redact } from '../matrix/events/redaction.ts';
import { getRoomVersion } from '../matrix/rooms/room-versions.ts';
import type { ClientEvent } from './caches/client-events.ts';
import { type EventTextOptions, isErased, unsignedText } from './event-text.ts';
import type { ReadServices, SyncCaller } from './sync-services.ts';

/**
 * The JSON text of an event as servers pass it on, for clients that ask for it: with its hashes, signatures and place in the graph, beside them its id and
 * what this server says in `unsigned`; what another server said there is nobody's business.
 * Client-Server API v1.19, "Filtering", `event_format: federation`.
 */
export async function federationText(
  services: ReadServices,
  caller: SyncCaller,
  event: ClientEvent,
  options: EventTextOptions,
): Promise<string | undefined> {
  const stored = await findEvent(services.db, event.eventId);
  if (stored === undefined) return undefined;
  const pdu = JSON.parse(stored.pdu) as Pdu;
  const isPruned =
    stored.redactedBy !== null || (await isErased(services, caller, event, options.membership));
  const shown = isPruned ? redact(getRoomVersion(stored.roomVersion), pdu) : pdu;
  const unsigned = await unsignedText(services, caller, event, options);
  const { unsigned: _, ...signed } = shown;
  const head = JSON.stringify({ ...signed, room_id: event.roomId, event_id: event.eventId }).slice(0, -1);
  return `${head},"unsigned":${unsigned}}`;
}
