import { readKnownEvents, readReceipt, type Receipt } from '../../db/rooms/inbound-reader.ts';
import type { TransactionKey } from '../../db/rooms/transaction-reader.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { Later, later } from '../kit/actor.ts';
import type { PolicyDemand } from './assess-event.ts';
import type { InputOf } from '../kit/protocol.ts';
import { mergeExtremities } from './merge-extremities.ts';
import { placeEvent } from './place-event.ts';
import type { Received, ReceivedEvent, RoomsProtocol, Unsigned } from './protocol.ts';
import { receiveDeparture } from './receive-departure.ts';
import { receiveLinear } from './receive-linear.ts';
import { betterCopy, parseReceived, type ReceivedPdu } from './received-pdu.ts';
import { reconsiderWaiting } from './reconsider-waiting.ts';
import type { Room } from './room-memory.ts';
import { type RoomsDesk, withRoom } from './rooms-desk.ts';

type ReceiveEvent = InputOf<RoomsProtocol, 'rooms.receive-event'>;
type ReceiveUnlessUnsigned = InputOf<RoomsProtocol, 'rooms.receive-unless-unsigned'>;
/** Either of them. */
type Reception = Omit<ReceiveEvent, 'unsignedReason'> & { readonly policy?: PolicyDemand };
type Outcome = Received | Unsigned | Refusal;
type ReceiveTurn = Outcome | Later<Outcome>;

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

function isUnstored({ kind }: Received | Unsigned): boolean {
  return kind === 'missing' || kind === 'unsigned' || kind === 'known';
}

/** Looks at one event when nothing else of its room is under way. */
async function receiveAlone(
  desk: RoomsDesk,
  input: Reception,
  event: ReceivedPdu,
  transaction: TransactionKey | null = null,
): Promise<Outcome> {
  const { roomId, receivedFrom, stateBefore, isFinal, isRelayed = false, policy } = input;
  const received = await withRoom<Outcome>(
    desk,
    roomId,
    () => notHere(roomId),
    async (room) => {
      const receipt = await readReceipt(desk.db, event.eventId, room.roomNid);
      if (!receipt.isJoined) return notHere(roomId);
      const copy = await withStoredCopy(desk, room, event, receipt);
      if (isRefusal(copy)) return copy;
      if (isKnown(receipt)) return { kind: 'known', eventId: event.eventId };
      return placeEvent(desk, room, {
        event: copy,
        receipt,
        receivedFrom,
        stateBefore,
        isFinal,
        isRelayed,
        transaction,
        ...(policy !== undefined && { policy }),
      });
    },
  );
  if (isRefusal(received) || isUnstored(received)) return received;
  await reconsiderWaiting(desk, roomId, [event.eventId]);
  await mergeExtremities(desk, roomId);
  return received;
}

/**
 * Takes an event of another server into its room. One that follows the newest events is staged at once and committed with its
 * neighbours; any other one waits until the room's writes are done, and is then looked at alone, while the other rooms go on.
 * Server-Server API v1.19, "Checks performed on receipt of a PDU".
 */
async function receive(desk: RoomsDesk, input: Reception): Promise<ReceiveTurn> {
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

/** Takes an event that is decided about whatever signatures it has. */
export async function receiveEvent(
  desk: RoomsDesk,
  { unsignedReason: reason, ...input }: ReceiveEvent,
): Promise<Received | Refusal | Later<Received | Refusal>> {
  const turn = await receive(desk, {
    ...input,
    ...(reason !== undefined && { policy: { kind: 'refused', reason } }),
  });
  return turn instanceof Later ? later(turn.answer.then(decided)) : decided(turn);
}

function decided(outcome: Outcome): Received | Refusal {
  if (outcome.kind === 'unsigned') throw new Error(`${outcome.eventId} was not decided about`);
  return outcome;
}

/** Takes an event for which the signature of the room's policy server can be asked, should it need that. */
export function receiveUnlessUnsigned(desk: RoomsDesk, input: ReceiveUnlessUnsigned): Promise<ReceiveTurn> {
  return receive(desk, { ...input, policy: { kind: 'wanted' } });
}

/**
 * Takes an event of ours into its room beside what has come since it was made, in a turn of the room: it goes to the other servers from here.
 * Nothing of it is asked of a policy server any more.
 */
export async function receiveOwn(
  desk: RoomsDesk,
  roomId: string,
  event: ReceivedEvent,
  transaction: TransactionKey | null,
): Promise<Received | Refusal> {
  await desk.settled(roomId);
  const room = await desk.rooms.find(roomId);
  if (room === undefined) return notHere(roomId);
  const parsed = parseReceived(room.version, roomId, event);
  if (isRefusal(parsed)) return parsed;
  const input = { roomId, event, receivedFrom: null, stateBefore: null, isFinal: true, isRelayed: true };
  return decided(await receiveAlone(desk, input, parsed, transaction));
}
