import { setImmediate } from 'node:timers/promises';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { readAcceptedIds } from '../../db/rooms/out-of-band-reader.ts';
import { eventIdOf } from '../../src/matrix/events/event-id.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { createEventIdOfRoom } from '../../src/matrix/identifiers/room-id.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { AuthState } from '../../src/matrix/rooms/auth-decision.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { parseForeignEvent } from './foreign-event.ts';
import type { ReceivedEvent } from './protocol.ts';

/** Events of a state that is taken in; more than any room has, and no more than memory holds. */
export const JOIN_STATE_EVENTS_MAX = 200_000;
/** Events after which the other rooms get their turn. */
const EVENTS_PER_TURN = 200;
/** A create event without `room_version` is of this one. */
const VERSION_WITHOUT_NAME = '1';

/** One event of a state that another server gave. */
export interface JoinStateEvent {
  readonly eventId: string;
  readonly pdu: Pdu & { readonly state_key: string };
}

/** The state of a room as another server gave it. */
export interface JoinState extends AuthState {
  readonly create: JoinStateEvent;
  readonly events: readonly JoinStateEvent[];
}

function placeOf(type: string, stateKey: string): string {
  return `${type}\u0000${stateKey}`;
}

function isStateEvent(pdu: Pdu): pdu is JoinStateEvent['pdu'] {
  return pdu.state_key !== undefined;
}

/** Makes a state of its events. */
function joinStateOf(create: JoinStateEvent, events: readonly JoinStateEvent[]): JoinState {
  const byPlace = new Map(events.map(({ pdu }) => [placeOf(pdu.type, pdu.state_key), pdu]));
  return { create, events, find: (type, stateKey) => byPlace.get(placeOf(type, stateKey)) };
}

/** The create event must be there, be that of the room and say the version that the join was made with. */
function checkCreate(
  version: RoomVersion,
  roomId: string,
  create: JoinStateEvent | undefined,
): Refusal | undefined {
  if (create === undefined) return refuse('M_BAD_JSON', 'the state has no m.room.create');
  if ((create.pdu.content['room_version'] ?? VERSION_WITHOUT_NAME) !== version.id)
    return refuse('M_BAD_JSON', `the m.room.create of the state is not of room version ${version.id}`);
  if (version.roomIdFormat !== 'create-event') return undefined;
  const makesRoomId = eventIdOf(version, create.pdu) === createEventIdOfRoom(roomId);
  return makesRoomId ? undefined : refuse('M_BAD_JSON', 'the m.room.create of the state is of another room');
}

/**
 * Reads the state that another server gave for a join: one event for each place, the create event of the room among them. Whether they are
 * allowed is not looked at.
 *
 * @returns refused with M_BAD_JSON or M_TOO_LARGE
 */
export async function parseJoinState(
  version: RoomVersion,
  roomId: string,
  given: readonly ReceivedEvent[],
): Promise<JoinState | Refusal> {
  if (given.length > JOIN_STATE_EVENTS_MAX)
    return refuse('M_TOO_LARGE', `a state of more than ${JOIN_STATE_EVENTS_MAX} events`);
  const events = new Map<string, JoinStateEvent>();
  for (const [index, { eventId, pdu: text }] of given.entries()) {
    if (index % EVENTS_PER_TURN === EVENTS_PER_TURN - 1) await setImmediate();
    const pdu = parseForeignEvent(version, roomId, text);
    if (isRefusal(pdu)) return pdu;
    if (!isStateEvent(pdu)) return refuse('M_BAD_JSON', `${eventId} of the state is not a state event`);
    const place = placeOf(pdu.type, pdu.state_key);
    if (events.has(place))
      return refuse('M_BAD_JSON', `two events of the state are of one place: ${eventId}`);
    events.set(place, { eventId, pdu });
  }
  const create = events.get(placeOf('m.room.create', ''));
  const wrong = checkCreate(version, roomId, create);
  if (wrong !== undefined) return wrong;
  if (create === undefined) throw new Error('a state without its create event was let through');
  return joinStateOf(create, [...events.values()]);
}

/** The state with further events, in places that are empty in it. */
export function withEvents(state: JoinState, further: readonly JoinStateEvent[]): JoinState {
  const missing = further.filter(({ pdu }) => state.find(pdu.type, pdu.state_key) === undefined);
  return missing.length === 0 ? state : joinStateOf(state.create, [...state.events, ...missing]);
}

/** The state without the events that were rejected when they were stored, or that were known as events of another room. */
export async function keepAccepted(db: ReadDb, roomNid: number, state: JoinState): Promise<JoinState> {
  const kept: JoinStateEvent[] = [];
  for (let start = 0; start < state.events.length; start += EVENTS_PER_TURN) {
    const events = state.events.slice(start, start + EVENTS_PER_TURN);
    const accepted = await readAcceptedIds(
      db,
      roomNid,
      events.map(({ eventId }) => eventId),
    );
    kept.push(...events.filter(({ eventId }) => accepted.has(eventId)));
    await setImmediate();
  }
  return joinStateOf(state.create, kept);
}
