import { findEvent, findEventById, type StoredEvent } from '../../../db/rooms/event-reader.ts';
import { FIND_REPLACED_EVENT_QUERIES, findReplacedEvent } from '../../../db/rooms/replaced-event-reader.ts';
import { findStickyExpiry, findStickyExpiryQuery } from '../../../db/rooms/sticky-reader.ts';
import { findEntryOfGroup } from '../../../db/rooms/state-reader.ts';
import { isJsonObject, type JsonObject } from '../../kit/json.ts';
import { toShownEvent } from '../../matrix/events/client-event.ts';
import type { Pdu } from '../../matrix/events/pdu.ts';
import { stickyDurationOf } from '../../matrix/events/stickiness.ts';
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
  /** Its place in the timeline, on the events stream; null while it has none. */
  readonly position: number | null;
  /** Of `m.room.member`; null otherwise. */
  readonly membership: string | null;
  /** The object without `room_id`, without `unsigned` and without its closing brace. */
  readonly head: string;
  /** JSON text of `content`, as it may be shown: for `prev_content` of the event that comes after. */
  readonly contentText: string;
  /** The redaction that was applied to it. Its text stands under its own id: it may be redacted, too. */
  readonly redactedBy: string | null;
  /** Of a state event of a timeline: the event that held its place in the state before it. */
  readonly replaces: string | null;
  /** It was rejected, soft-failed or is held back: no client is shown it as an event of the timeline. */
  readonly isHidden: boolean;
  /** It was made here, at the state that was current then. */
  readonly isOurs: boolean;
  /** When it stops being sticky, in milliseconds since the Unix epoch; null when it is not. MSC4354. */
  readonly stickyUntil: number | null;
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

function strippedStateOf(pdu: Pdu): readonly JsonObject[] | null {
  const unsigned = pdu.unsigned ?? {};
  const state = unsigned['invite_room_state'] ?? unsigned['knock_room_state'];
  return Array.isArray(state) ? state.filter(isJsonObject) : null;
}

/** Makes the text of a stored event. */
function toText(
  event: StoredEvent,
  pdu: Pdu,
  of: Pick<ClientEvent, 'replaces' | 'stickyUntil'>,
): ClientEvent {
  const version = getRoomVersion(event.roomVersion);
  const isRedacted = event.redactedBy !== null;
  const shown = toShownEvent(version, event.eventId, pdu, isRedacted);
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
    position: event.streamOrdering,
    membership: event.type === 'm.room.member' && typeof membership === 'string' ? membership : null,
    head: JSON.stringify(shown).slice(0, -1),
    contentText: JSON.stringify(content),
    redactedBy: event.redactedBy?.eventId ?? null,
    ...of,
    isHidden: event.rejection !== null,
    isOurs: event.receivedFrom === null,
    strippedRoomState: event.type === 'm.room.member' ? strippedStateOf(pdu) : null,
  };
}

/** Events as clients get them, by event id; null for an id that is not stored (not kept: it may come). */
export const clientEventsCache = defineCache<string, ClientEvent | null>({
  name: 'client-events',
  sizeMax: CLIENT_EVENTS_CHARACTERS_MAX,
  size: (event) => ENTRY_CHARACTERS + (event === null ? 0 : event.head.length + 2 * event.contentText.length),
  async load(db, eventId) {
    const event = await findEvent(db, eventId);
    if (event === undefined) return null;
    const isPlaced = event.stateKey !== null && event.streamOrdering !== null;
    const pdu = pduOf(event.pdu);
    const replaces = isPlaced ? ((await findReplacedEvent(db, event)) ?? null) : null;
    const isSticky = stickyDurationOf(pdu) !== null;
    const stickyUntil = isSticky ? await findStickyExpiry(db, event.eventNid) : null;
    return toText(event, pdu, { replaces, stickyUntil });
  },
  reads: [findEventById, findEntryOfGroup, findStickyExpiryQuery, ...FIND_REPLACED_EVENT_QUERIES],
  keeps: (event) => event !== null,
  dependsOn: {
    event: (fact) => [fact.eventId],
  },
});
