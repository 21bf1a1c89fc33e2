import { findTransactionIds } from '../../db/rooms/event-reader.ts';
import { type ClientEvent, clientEventsCache } from './caches/client-events.ts';
import { objectText } from './json-text.ts';
import type { ReadServices, SyncCaller } from './sync-services.ts';

/** How events are to be shown. */
export interface EventTextOptions {
  /** Outside of sync, where the place of an event does not tell its room. */
  readonly includeRoomId?: boolean;
  /** The asking user's membership at the event, when it is known. */
  readonly membership?: string | null;
}

/**
 * An event as clients get it.
 *
 * @throws when it is not stored: ids come from rows that are
 */
export async function getClientEvent(services: ReadServices, eventId: string): Promise<ClientEvent> {
  const event = await services.cached.get(clientEventsCache, eventId);
  if (event === null) throw new Error(`no event ${eventId}`);
  return event;
}

/** The same, undefined when it is not stored. */
export async function findClientEvent(
  services: ReadServices,
  eventId: string,
): Promise<ClientEvent | undefined> {
  return (await services.cached.get(clientEventsCache, eventId)) ?? undefined;
}

/** Only the device that sent an event learns its transaction id. Client-Server API v1.19, "Local echo". */
async function transactionIdOf(
  services: ReadServices,
  caller: SyncCaller,
  event: ClientEvent,
): Promise<string | undefined> {
  if (event.sender !== caller.userId) return undefined;
  const { userId, deviceId } = caller;
  return (await findTransactionIds(services.db, userId, deviceId, [event.eventNid])).get(event.eventNid);
}

/**
 * The JSON text of an event for one asker at this moment: `unsigned` with age, transaction id, previous content, redaction
 * and membership. Client-Server API v1.19, "Room event format", `UnsignedData`.
 */
export async function eventText(
  services: ReadServices,
  caller: SyncCaller,
  event: ClientEvent,
  options: EventTextOptions = {},
): Promise<string> {
  const age = Math.max(0, services.clock.now() - event.originServerTs);
  let unsigned = `"age":${age}`;
  if (event.replaces !== null) {
    const replaced = await findClientEvent(services, event.replaces);
    unsigned += `,"replaces_state":${JSON.stringify(event.replaces)}`;
    if (replaced !== undefined) unsigned += `,"prev_content":${replaced.contentText}`;
  }
  if (event.redactedBecause !== null) unsigned += `,"redacted_because":${event.redactedBecause}`;
  const transactionId = await transactionIdOf(services, caller, event);
  if (transactionId !== undefined) unsigned += `,"transaction_id":${JSON.stringify(transactionId)}`;
  if (options.membership !== undefined && options.membership !== null)
    unsigned += `,"membership":${JSON.stringify(options.membership)}`;
  const room = options.includeRoomId === true ? `,"room_id":${JSON.stringify(event.roomId)}` : '';
  return `${event.head}${room},"unsigned":{${unsigned}}}`;
}

/** An event as who is not in the room sees it. Client-Server API v1.19, "Stripped state". */
export function strippedText(event: ClientEvent): string {
  return objectText([
    ['type', JSON.stringify(event.type)],
    ['state_key', JSON.stringify(event.stateKey ?? '')],
    ['sender', JSON.stringify(event.sender)],
    ['content', event.contentText],
  ]);
}
