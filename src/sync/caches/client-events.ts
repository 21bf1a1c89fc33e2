import { findEvent, findEventById, type StoredEvent } from '../../../db/rooms/event-reader.ts';
import { findPreviousStateEventQuery } from '../../../db/rooms/sync-reader.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { isJsonObject, type JsonObject } from '../../kit/json.ts';
import { toClientEvent } from '../../matrix/events/client-event.ts';
import type { Pdu } from '../../matrix/events/pdu.ts';
import { getRoomVersion } from '../../matrix/rooms/room-versions.ts';
import { defineCache } from '../../streams/cache.ts';

/** An event as clients get it, as text, but for what differs between askers and moments. */
export interface ClientEvent {
  readonly eventNid: number;
  readonly eventId: string;
  readonly roomId: string;
  readonly sender: string;
  readonly type: string;
  /** Null for message events. */
  readonly stateKey: string | null;
  readonly content: JsonObject;
  readonly originServerTs: number;
  /** Of `m.room.member`; null otherwise. */
  readonly membership: string | null;
  /** The object without `room_id`, without `unsigned` and without its closing brace. */
  readonly head: string;
  /** JSON text of `content`, as it may be shown: for `prev_content` of the event that comes after. */
  readonly contentText: string;
  /** JSON text of the redaction, when it is redacted. */
  readonly redactedBecause: string | null;
  /** Of a state event: the event that it replaced. */
  readonly replaces: string | null;
  /** What another server's invite or knock says about its room; null otherwise. */
  readonly strippedRoomState: readonly JsonObject[] | null;
}

/** Characters of event text kept in memory. */
const CLIENT_EVENTS_CHARACTERS_MAX = 32_000_000;

/** What an entry takes beside its texts, roughly, in characters. */
const ENTRY_CHARACTERS = 500;

function pduOf(text: string): Pdu {
  return JSON.parse(text) as Pdu;
}

function redactionOf(event: StoredEvent): JsonObject | undefined {
  if (event.redactedBy === null) return undefined;
  const { eventId, pdu } = event.redactedBy;
  const options = { includeRoomId: true };
  return toClientEvent(getRoomVersion(event.roomVersion), eventId, event.roomId, pduOf(pdu), options);
}

function strippedStateOf(pdu: Pdu): readonly JsonObject[] | null {
  const unsigned = pdu.unsigned ?? {};
  const state = unsigned['invite_room_state'] ?? unsigned['knock_room_state'];
  return Array.isArray(state) ? state.filter(isJsonObject) : null;
}

/** Makes the text of a stored event. */
function toText(event: StoredEvent, replaces: string | null): ClientEvent {
  const pdu = pduOf(event.pdu);
  const redactedBecause = redactionOf(event);
  const { unsigned: _, ...shown } = toClientEvent(
    getRoomVersion(event.roomVersion),
    event.eventId,
    event.roomId,
    pdu,
    redactedBecause === undefined ? { includeRoomId: false } : { includeRoomId: false, redactedBecause },
  );
  const content = isJsonObject(shown['content']) ? shown['content'] : {};
  const membership = content['membership'];
  return {
    eventNid: event.eventNid,
    eventId: event.eventId,
    roomId: event.roomId,
    sender: event.sender,
    type: event.type,
    stateKey: event.stateKey,
    content,
    originServerTs: event.originServerTs,
    membership: event.type === 'm.room.member' && typeof membership === 'string' ? membership : null,
    head: JSON.stringify(shown).slice(0, -1),
    contentText: JSON.stringify(content),
    redactedBecause: redactedBecause === undefined ? null : JSON.stringify(redactedBecause),
    replaces,
    strippedRoomState: event.type === 'm.room.member' ? strippedStateOf(pdu) : null,
  };
}

async function findReplaced(db: ReadDb, event: StoredEvent): Promise<string | null> {
  if (event.stateKey === null || event.streamOrdering === null) return null;
  const { roomId, type, stateKey, streamOrdering } = event;
  const previous = await db.find(findPreviousStateEventQuery, {
    roomId,
    type,
    stateKey,
    before: streamOrdering,
  });
  return previous?.eventId ?? null;
}

/** Events as clients get them, by event id; null for an id that is not stored (not kept: it may come). */
export const clientEventsCache = defineCache<string, ClientEvent | null>({
  name: 'client-events',
  sizeMax: CLIENT_EVENTS_CHARACTERS_MAX,
  size: (event) => ENTRY_CHARACTERS + (event === null ? 0 : event.head.length + 2 * event.contentText.length),
  async load(db, eventId) {
    const event = await findEvent(db, eventId);
    return event === undefined ? null : toText(event, await findReplaced(db, event));
  },
  reads: [findEventById, findPreviousStateEventQuery],
  keeps: (event) => event !== null,
  dependsOn: {
    event: (fact) => [fact.eventId],
  },
});
