import { findDelayIdOfEvent } from '../../db/delayed-events/reader.ts';
import { findTransactionIds } from '../../db/rooms/event-reader.ts';
import type { JsonObject } from '../kit/json.ts';
import { type ClientEvent, clientEventsCache } from './caches/client-events.ts';
import { erasedUserCache } from './caches/erased-users.ts';
import { objectText } from './json-text.ts';
import type { ReadServices, SyncCaller } from './sync-services.ts';

/** How events are to be shown. */
export interface EventTextOptions {
  /** Outside of sync, where the place of an event does not tell its room. */
  readonly includeRoomId?: boolean;
  /** The asking user's membership at the event, when it is known. */
  readonly membership?: string | null;
  /** The text of what relates to it, summed up. */
  readonly relations?: string;
  /** Further fields of `unsigned`, as JSON text without the braces. */
  readonly further?: string;
}

/** An event as clients get it; undefined when it is not stored: a purge may have deleted it since its id was read. */
export async function findClientEvent(
  services: ReadServices,
  eventId: string,
): Promise<ClientEvent | undefined> {
  return (await services.cached.get(clientEventsCache, eventId)) ?? undefined;
}

/** Transactions are not remembered longer; of what was sent with delay it is known for a while more. */
const TRANSACTION_AGE_MAX_MS = 24 * 60 * 60 * 1_000;

/**
 * What only the sender is told of how an event was sent: the transaction id, for the device that sent it (Client-Server API v1.19, "Local
 * echo"), or the delay id (MSC4140).
 */
async function sentAsText(
  services: ReadServices,
  caller: SyncCaller,
  event: ClientEvent,
  age: number,
): Promise<string> {
  if (event.sender !== caller.userId) return '';
  const { userId, deviceId } = caller;
  const found = await findTransactionIds(services.db, userId, deviceId, [event.eventNid]);
  const sentAs = found.get(event.eventNid);
  if (sentAs?.kind === 'transaction') return `,"transaction_id":${JSON.stringify(sentAs.id)}`;
  const isForgotten = sentAs === undefined && age >= TRANSACTION_AGE_MAX_MS;
  const delayId = isForgotten ? await findDelayIdOfEvent(services.db, event.eventId) : sentAs?.id;
  return delayId === undefined ? '' : `,"org.matrix.msc4140.delay_id":${JSON.stringify(delayId)}`;
}

/**
 * Who was not in the room when an event was sent by a user whose account is erased gets it without content, as if it were redacted. State
 * stays what it is: rooms depend on it. Client-Server API v1.19, `POST /_matrix/client/v3/account/deactivate`, `erase`.
 */
export async function isErased(
  services: ReadServices,
  caller: SyncCaller,
  event: ClientEvent,
  membership: string | null | undefined,
): Promise<boolean> {
  if (membership === undefined || membership === null || membership === 'join') return false;
  if (event.stateKey !== null || event.sender === caller.userId) return false;
  return (await services.cached.get(erasedUserCache, event.sender)) !== null;
}

/** The head of an event without what its content says. */
function headWithoutContent(head: string): string {
  return JSON.stringify({ ...(JSON.parse(`${head}}`) as JsonObject), content: {} }).slice(0, -1);
}

/** What this server says beside an event. Client-Server API v1.19, "Room event format", `UnsignedData`. */
export async function unsignedText(
  services: ReadServices,
  caller: SyncCaller,
  event: ClientEvent,
  options: EventTextOptions,
): Promise<string> {
  const age = Math.max(0, services.clock.now() - event.originServerTs);
  let unsigned = `"age":${age}`;
  if (event.replaces !== null) {
    const replaced = await findClientEvent(services, event.replaces);
    if (replaced?.isHidden === false)
      unsigned += `,"replaces_state":${JSON.stringify(event.replaces)},"prev_content":${replaced.contentText}`;
  }
  if (event.redactedBy !== null) {
    const redaction = await findClientEvent(services, event.redactedBy);
    if (redaction !== undefined)
      unsigned += `,"redacted_because":${redaction.head},"room_id":${JSON.stringify(redaction.roomId)}}`;
  }
  if (event.stickyUntil !== null && event.stickyUntil > services.clock.now())
    unsigned += `,"msc4354_sticky_duration_ttl_ms":${event.stickyUntil - services.clock.now()}`;
  unsigned += await sentAsText(services, caller, event, age);
  if (options.membership !== undefined && options.membership !== null)
    unsigned += `,"membership":${JSON.stringify(options.membership)}`;
  if (options.relations !== undefined) unsigned += `,"m.relations":${options.relations}`;
  if (options.further !== undefined) unsigned += `,${options.further}`;
  return `{${unsigned}}`;
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
  const unsigned = await unsignedText(services, caller, event, options);
  const room = options.includeRoomId === true ? `,"room_id":${JSON.stringify(event.roomId)}` : '';
  const isPruned = await isErased(services, caller, event, options.membership);
  const head = isPruned ? headWithoutContent(event.head) : event.head;
  return `${head}${room},"unsigned":${unsigned}}`;
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
