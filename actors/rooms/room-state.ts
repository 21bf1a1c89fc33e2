import type { ReadDb } from '../../db/kit/read-db.ts';
import type { StoredEvent } from '../../db/rooms/event-reader.ts';
import { findCurrentStateEvent } from '../../db/rooms/state-reader.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { AuthState, StateKey } from '../../src/matrix/rooms/auth-decision.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { parseStoredPdu, referenceOf } from './stored-pdu.ts';
import type { Sent } from './protocol.ts';

/** Where an event stands on the events stream: known, or so many places after the first one of a write that waits for its commit. */
export type EventPlace = number | { readonly committed: Promise<number | Refusal>; readonly offset: number };

/** An event of the current state, as the next event sees it: it may still wait for its commit. */
export interface StateEvent {
  readonly eventId: string;
  /** The reference hash; only room versions 1 and 2 need it. */
  readonly sha256: string;
  /** Redacted when it is. */
  readonly pdu: Pdu;
  readonly place: EventPlace;
  /** What it takes in memory, about. */
  readonly sizeBytes: number;
}

/** The current state of one room: what was needed so far. */
export interface RoomState extends AuthState {
  /** Makes sure that the places are in memory; undefined when they are already, so that a hot path need not wait. */
  load(keys: readonly StateKey[]): Promise<void> | undefined;
  /**
   * The event at a place.
   *
   * @throws when the place was not loaded: that is a defect, not an empty place
   */
  findEvent(type: string, stateKey: string): StateEvent | undefined;
  set(type: string, stateKey: string, event: StateEvent): void;
  /** What the loaded places take in memory, about. */
  sizeBytes(): number;
}

/** Objects take about this much more than their JSON text. */
const BYTES_PER_TEXT_LENGTH = 3;
const PLACE_BYTES = 200;

/** What an event takes in memory, about, by the length of its JSON. */
export function eventSizeBytes(json: string): number {
  return json.length * BYTES_PER_TEXT_LENGTH;
}

/** What the sender of an event was, or will be, answered. */
export async function answerOf(event: Pick<StateEvent, 'eventId' | 'place'>): Promise<Sent | Refusal> {
  const { eventId, place } = event;
  if (typeof place === 'number') return { kind: 'sent', eventId, position: place };
  const first = await place.committed;
  return isRefusal(first) ? first : { kind: 'sent', eventId, position: first + place.offset };
}

/** Where the state of a room comes from. */
export interface StateSource {
  readonly roomId: string;
  readonly version: RoomVersion;
  /** The stored event at a place. */
  find(type: string, stateKey: string): Promise<StoredEvent | undefined>;
}

/** The current state as it is stored. */
export function currentStateSource(db: ReadDb, roomId: string, version: RoomVersion): StateSource {
  return {
    roomId,
    version,
    find: (type, stateKey) => findCurrentStateEvent(db, roomId, type, stateKey),
  };
}

async function readStateEvent(source: StateSource, key: StateKey): Promise<StateEvent | null> {
  const { version } = source;
  const stored = await source.find(key.type, key.stateKey);
  if (stored === undefined) return null;
  return {
    ...referenceOf(version, stored.eventId, stored.pdu),
    pdu: parseStoredPdu(version, stored),
    place: stored.eventNid,
    sizeBytes: eventSizeBytes(stored.pdu),
  };
}

/**
 * Makes the state of a room.
 *
 * @param source null for a room that is being made: what is not there does not exist
 */
export function createRoomState(source: StateSource | null): RoomState {
  // Null: loaded, and there is no such event.
  const places = new Map<string, Map<string, StateEvent | null>>();
  let sizeBytes = 0;

  const put = (type: string, stateKey: string, event: StateEvent | null): void => {
    let ofType = places.get(type);
    if (ofType === undefined) places.set(type, (ofType = new Map()));
    const before = ofType.get(stateKey);
    sizeBytes +=
      (event?.sizeBytes ?? 0) - (before?.sizeBytes ?? 0) + (before === undefined ? PLACE_BYTES : 0);
    ofType.set(stateKey, event);
  };
  const findEvent = (type: string, stateKey: string): StateEvent | undefined => {
    const event = places.get(type)?.get(stateKey);
    if (event === undefined && source !== null)
      throw new Error(`state ${type} '${stateKey}' of ${source.roomId} was not loaded`);
    return event ?? undefined;
  };
  const isMissing = (key: StateKey): boolean => places.get(key.type)?.has(key.stateKey) !== true;

  const loadMissing = async (from: StateSource, keys: readonly StateKey[]): Promise<void> => {
    for (const key of keys) {
      if (isMissing(key)) put(key.type, key.stateKey, await readStateEvent(from, key));
    }
  };

  return {
    load(keys) {
      if (source === null || !keys.some(isMissing)) return undefined;
      return loadMissing(source, keys);
    },
    findEvent,
    find: (type, stateKey) => findEvent(type, stateKey)?.pdu,
    set: put,
    sizeBytes: () => sizeBytes,
  };
}
