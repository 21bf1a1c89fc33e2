import { readKnownEvents, readReceipt, type Receipt } from '../../db/rooms/inbound-reader.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { Later } from '../kit/actor.ts';
import type { InputOf } from '../kit/protocol.ts';
import { mergeExtremities } from './merge-extremities.ts';
import { placeEvent } from './place-event.ts';
import type { Received, RoomsProtocol } from './protocol.ts';
import { receiveDeparture } from './receive-departure.ts';
import { receiveLinear } from './receive-linear.ts';
import { betterCopy, parseReceived, type ReceivedPdu } from './received-pdu.ts';
import { reconsiderWaiting } from './reconsider-waiting.ts';
import type { Room } from './room-memory.ts';
import { type RoomsDesk, withRoom } from './rooms-desk.ts';

type ReceiveEvent = InputOf<RoomsProtocol, 'rooms.receive-event'>;
type ReceiveTurn = Received | Refusal | Later<Received | Refusal>;

function notHere(roomId: string): Refusal {
  return refuse('M_NOT_FOUND', `this server is in no room ${roomId}`);
}

/** An event that is stored already, with the better of the two copies. */
async function withStoredCopy(
  desk: RoomsDesk,
  room: Room,
  event: ReceivedPdu,
  receipt: Receipt,
): Promise<ReceivedPdu | Refusal> {
  if (receipt.eventNid === null) return event;
  // Room versions 1 and 2: any server may have chosen an id of its own for two events.
  if (receipt.roomNid !== room.roomNid) return refuse('M_BAD_JSON', `${event.eventId} is of another room`);
  const stored = (await readKnownEvents(desk.db, [event.eventId])).get(event.eventId);
  if (stored === undefined) throw new Error(`${event.eventId} was stored and is not`);
  return betterCopy(room.version, event, stored.pdu);
}

/** True for an event of which everything is known: it is in the graph, and does not wait for auth events. */
function isKnown(receipt: Receipt): boolean {
  return receipt.eventNid !== null && receipt.stateGroup !== null && !receipt.isWaiting;
}

/** Looks at one event when nothing else of its room is under way. */
async function receiveAlone(
  desk: RoomsDesk,
  input: ReceiveEvent,
  event: ReceivedPdu,
): Promise<Received | Refusal> {
  const { roomId, receivedFrom, stateBefore, isFinal, isRelayed = false } = input;
  const received = await withRoom<Received | Refusal>(
    desk,
    roomId,
    () => notHere(roomId),
    async (room) => {
      const receipt = await readReceipt(desk.db, event.eventId, room.roomNid);
      if (!receipt.isJoined) return notHere(roomId);
      const copy = await withStoredCopy(desk, room, event, receipt);
      if (isRefusal(copy)) return copy;
      if (isKnown(receipt)) return { kind: 'known', eventId: event.eventId };
      return placeEvent(desk, room, { event: copy, receipt, receivedFrom, stateBefore, isFinal, isRelayed });
    },
  );
  if (isRefusal(received) || received.kind === 'missing' || received.kind === 'known') return received;
  await reconsiderWaiting(desk, roomId, [event.eventId]);
  await mergeExtremities(desk, roomId);
  return received;
}

/**
 * Takes an event of another server into its room. One that follows the newest events is staged at once and committed with its
 * neighbours; any other one waits until the room's writes are done, and is then looked at alone, while the other rooms go on.
 * Server-Server API v1.19, "Checks performed on receipt of a PDU".
 */
export async function receiveEvent(desk: RoomsDesk, input: ReceiveEvent): Promise<ReceiveTurn> {
  const { roomId } = input;
  type Looked = { readonly kind: 'to-be-looked-at'; readonly event: ReceivedPdu };
  const turn = await withRoom<ReceiveTurn | Looked>(
    desk,
    roomId,
    () => receiveDeparture(desk, input),
    async (room) => {
      const event = parseReceived(room.version, roomId, input.event);
      if (isRefusal(event)) return event;
      const receipt = await readReceipt(desk.db, event.eventId, room.roomNid);
      if (!receipt.isJoined) return notHere(roomId);
      const linear = await receiveLinear(desk, room, event, receipt, input);
      return linear ?? { kind: 'to-be-looked-at', event };
    },
  );
  if (!('kind' in turn) || turn.kind !== 'to-be-looked-at') return turn;
  await desk.settled(roomId);
  return receiveAlone(desk, input, turn.event);
}
