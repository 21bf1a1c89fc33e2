import type { JsonObject } from '../../src/kit/json.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { Received } from '../rooms/protocol.ts';
import type { CheckedEvent } from '../server-keys/protocol.ts';
import { eventIdOf } from '../../src/matrix/events/event-id.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { findRoom as findStoredRoom } from '../../db/rooms/room-reader.ts';
import { findRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { Turns } from '../turns.ts';
import { inCausalOrder, readValid, type ValidEvent } from './event-order.ts';
import { newBudget, receiveMissing, receiveValid, type Reception } from './receive-valid.ts';
import { isUnplaced, type WaitingEvents } from './waiting-events.ts';
import { findKnownRoom, type ReceiverDesk, type RoomAtHand } from './receiver-desk.ts';

/** What became of the events of a transaction, by event id: empty for one that was taken. */
export type PduOutcomes = Record<string, { readonly error?: string }>;

/** What became of the events of one transaction. */
export interface ReceivedPdus {
  readonly outcomes: PduOutcomes;
  /** Ids of those that nothing was decided about, because of this server alone: its storage was busy, or an actor did not answer. */
  readonly undecided: readonly string[];
}

/** Where the outcomes of one transaction come together. */
interface Batch {
  readonly origin: string;
  readonly waiting: WaitingEvents;
  readonly outcomes: PduOutcomes;
  readonly undecided: string[];
}

/** From this status on a refusal says nothing of what was refused. */
const OWN_FAULT_STATUS_MIN = 500;

/** Notes the outcome of one event. */
function note(batch: Batch, eventId: string, received: Received | Refusal): void {
  batch.outcomes[eventId] = errorOf(received);
  if (isRefusal(received) && received.status >= OWN_FAULT_STATUS_MIN) batch.undecided.push(eventId);
}

function errorOf(received: Received | Refusal): { readonly error?: string } {
  if (isRefusal(received)) return { error: received.error };
  if (received.kind === 'rejected') return { error: received.reason };
  if (received.kind === 'missing')
    return { error: 'events before it, or what authorises it, could not be had' };
  // What soft-failed or is held back is stored, and nothing is wrong with how it came.
  return {};
}

/** The id of an event that nobody has looked at; undefined where it has none. */
function idOf(version: string, event: JsonObject): string | undefined {
  const known = findRoomVersion(version);
  const isWhole = typeof event['type'] === 'string' && typeof event['content'] === 'object';
  if (known === undefined || !isWhole || event['content'] === null) return undefined;
  return eventIdOf(known, event as Pdu);
}

/** Notes one outcome for all events of a room that is not for its sender. */
async function noteClosed(
  desk: ReceiverDesk,
  batch: Batch,
  roomId: string,
  pdus: readonly JsonObject[],
  refusal: Refusal,
): Promise<void> {
  desk.log.info('events of another server were not looked at', {
    origin: batch.origin,
    roomId,
    reason: refusal.error,
  });
  const room = await findStoredRoom(desk.db, roomId);
  for (const pdu of pdus) {
    const eventId = room && idOf(room.roomVersion, pdu);
    if (eventId !== undefined) batch.outcomes[eventId] = { error: refusal.error };
  }
}

function noteInvalid(desk: ReceiverDesk, batch: Batch, one: Exclude<CheckedEvent, { kind: 'valid' }>): void {
  desk.log.info('an event of another server is not valid', {
    origin: batch.origin,
    eventId: one.eventId,
    reason: one.reason,
  });
  if (one.eventId !== null) batch.outcomes[one.eventId] = { error: one.reason };
}

/** Checks the events of one room. */
async function takeValid(
  desk: ReceiverDesk,
  batch: Batch,
  room: RoomAtHand,
  pdus: readonly JsonObject[],
): Promise<readonly ValidEvent[]> {
  const checked = await desk.check(room.version, pdus);
  if (isRefusal(checked)) {
    for (const pdu of pdus) {
      const eventId = idOf(room.version.id, pdu);
      if (eventId !== undefined) note(batch, eventId, checked);
    }
    return [];
  }
  const valid: ValidEvent[] = [];
  for (const one of checked) {
    if (one.kind === 'valid' && one.roomId === room.roomId) valid.push(readValid(one.event));
    else if (one.kind === 'valid') batch.outcomes[one.event.eventId] = { error: 'it is of another room' };
    else noteInvalid(desk, batch, one);
  }
  return inCausalOrder(valid);
}

/**
 * Hands all events of one room to `rooms` at once, so that those that follow each other share a commit. What misses something is seen to
 * afterwards, one event after the other.
 */
async function receiveOfRoom(
  desk: ReceiverDesk,
  batch: Batch,
  room: RoomAtHand,
  events: readonly ValidEvent[],
): Promise<void> {
  const { roomId } = room;
  const { origin } = batch;
  const peer = { serverName: origin, roomId, isCalling: true };
  const reception: Reception = { room, peer, isRelayed: false, budget: newBudget() };
  const siblings = { events: events.map(({ event }) => event), areAsked: false };
  const inBatch = new Set(siblings.events.map(({ eventId }) => eventId));
  const first = await Promise.all(
    events.map(({ event }) =>
      desk.receive({
        roomId,
        roomVersion: room.version.id,
        event,
        receivedFrom: origin,
        stateBefore: null,
        isFinal: false,
        siblings,
      }),
    ),
  );
  let hasFetched = false;
  const unplaced: ValidEvent[] = [];
  for (const [index, valid] of events.entries()) {
    let received = first[index];
    if (received === undefined) continue;
    if (!isRefusal(received) && received.kind === 'missing') {
      // What was fetched for one of them may be what the next one misses; or that was not signed yet when this one came.
      const wasWaiting = received.prevEvents.length > 0 && received.prevEvents.every((id) => inBatch.has(id));
      received =
        hasFetched || wasWaiting
          ? await receiveValid(desk, reception, valid)
          : await receiveMissing(desk, reception, valid, received);
      hasFetched ||= !wasWaiting;
    }
    note(batch, valid.event.eventId, received);
    if (isUnplaced(received)) unplaced.push(valid);
  }
  await keepUnplaced(batch, room, unplaced);
}

/** What could not be placed is kept, which is as good as taken; its server is to send it again where that cannot be stored. */
async function keepUnplaced(batch: Batch, room: RoomAtHand, events: readonly ValidEvent[]): Promise<void> {
  if (events.length === 0) return;
  const isKept = await batch.waiting.keep(room.roomId, batch.origin, events);
  for (const { event } of events) {
    if (isKept) batch.outcomes[event.eventId] = {};
    else batch.undecided.push(event.eventId);
  }
}

/**
 * Of a room that this server is not in, only what ends a local user's invite or knock is looked at, and nothing is fetched for it.
 */
async function receiveOutside(
  desk: ReceiverDesk,
  batch: Batch,
  room: RoomAtHand,
  pdus: readonly JsonObject[],
): Promise<void> {
  const isOfLocalUser = ({ type, state_key: userId }: JsonObject): boolean =>
    type === 'm.room.member' && typeof userId === 'string' && isOfServer(userId, desk.serverName);
  const endings = pdus.filter((pdu) => isOfLocalUser(pdu));
  const others = pdus.filter((pdu) => !isOfLocalUser(pdu));
  const refusal = refuse('M_NOT_FOUND', `this server is in no room ${room.roomId}`);
  if (others.length > 0) await noteClosed(desk, batch, room.roomId, others, refusal);
  if (endings.length === 0) return;
  for (const { event } of await takeValid(desk, batch, room, endings)) {
    const { roomId } = room;
    const receivedFrom = batch.origin;
    const roomVersion = room.version.id;
    const input = { roomId, roomVersion, event, receivedFrom, stateBefore: null, isFinal: true };
    note(batch, event.eventId, await desk.receive(input));
  }
}

/** Who helps with a join sends what comes after it at once: that waits until the join is stored. */
async function findRoom(desk: ReceiverDesk, roomId: string, origin: string): Promise<RoomAtHand | Refusal> {
  const room = await findKnownRoom(desk, roomId, origin);
  const isOutside = isRefusal(room) ? room.errcode === 'M_NOT_FOUND' : !room.isInside;
  return isOutside && (await desk.awaitJoined(roomId)) ? findKnownRoom(desk, roomId, origin) : room;
}

function byRoom(pdus: readonly JsonObject[]): ReadonlyMap<string, readonly JsonObject[]> {
  const rooms = new Map<string, JsonObject[]>();
  for (const pdu of pdus) {
    const roomId = pdu['room_id'];
    // The event that makes a room of version 12 names none: it never comes alone, but with a join.
    if (typeof roomId !== 'string') continue;
    const ofRoom = rooms.get(roomId);
    if (ofRoom === undefined) rooms.set(roomId, [pdu]);
    else ofRoom.push(pdu);
  }
  return rooms;
}

/**
 * Takes in the events of a transaction, room by room: each room by itself, so that neither a broken event nor a gap in one of them keeps
 * another one waiting. Server-Server API v1.19, "Transactions", "Checks performed on receipt of a PDU".
 *
 * @param waiting where those are kept of which it is not known yet where they belong
 * @param turns how many rooms of this server are worked on at a time
 */
export async function receivePdus(
  desk: ReceiverDesk,
  waiting: WaitingEvents,
  turns: Turns,
  origin: string,
  pdus: readonly JsonObject[],
): Promise<ReceivedPdus> {
  const batch: Batch = { origin, waiting, outcomes: {}, undecided: [] };
  await Promise.all(
    [...byRoom(pdus)].map(([roomId, ofRoom]) =>
      turns.run(async () => {
        const room = await findRoom(desk, roomId, origin);
        if (isRefusal(room)) return noteClosed(desk, batch, roomId, ofRoom, room);
        if (room.isInside)
          return receiveOfRoom(desk, batch, room, await takeValid(desk, batch, room, ofRoom));
        return receiveOutside(desk, batch, room, ofRoom);
      }),
    ),
  );
  return batch;
}
