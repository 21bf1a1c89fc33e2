import { storeEvent } from '../../db/rooms/writer.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import type { TransactionKey } from '../../db/rooms/transaction-reader.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { type CommitEvents, writeOf } from './commit-events.ts';
import { type Later, later } from '../kit/actor.ts';
import type { ClientTransaction, Sent } from './protocol.ts';
import type { Room, RoomMemory } from './room-memory.ts';
import { answerOf } from './room-state.ts';
import { findSameState, placesOf, type Proposal, type Stage, stageEvent } from './stage-event.ts';
import { loadStateGroupSize } from './state-groups.ts';
import type { TransactionMemory } from './transaction-memory.ts';

/** What the handlers of the actor share. */
export interface RoomsDesk {
  readonly db: ReadDb;
  readonly clock: Clock;
  readonly serverName: string;
  readonly rooms: RoomMemory;
  readonly transactions: TransactionMemory;
  readonly stage: Stage;
  readonly commit: CommitEvents;
}

/** The outcome of a turn: an answer, or one that comes after the commit while the room goes on. */
export type Turn = Sent | Refusal | Later<Sent | Refusal>;

/** Names a client's transaction for the store. */
export function transactionKey(userId: string, transaction: ClientTransaction | null): TransactionKey | null {
  return transaction === null ? null : { userId, ...transaction };
}

/** The turn of a transaction that was seen before, in this life or an earlier one; undefined for a new one, and for none. */
export async function repeatTransaction(
  desk: RoomsDesk,
  key: TransactionKey | null,
): Promise<Turn | undefined> {
  if (key === null) return undefined;
  const answer = desk.transactions.recall(key);
  return answer === undefined ? desk.transactions.search(key) : later(answer);
}

/** To those outside, a room that does not exist looks like one that they are not in. */
export function notInRoom(): Refusal {
  return refuse('M_FORBIDDEN', 'you are not in this room');
}

/**
 * Runs one turn of a room: the room is held in memory meanwhile.
 *
 * @param unknown what is answered when this server does not know the room
 */
export async function withRoom(
  desk: RoomsDesk,
  roomId: string,
  unknown: () => Refusal,
  turn: (room: Room) => Turn | Promise<Turn>,
): Promise<Turn> {
  const found = desk.rooms.find(roomId);
  const room = found instanceof Promise ? await found : found;
  if (room === undefined) return unknown();
  room.holds += 1;
  try {
    return await turn(room);
  } finally {
    room.holds -= 1;
    desk.rooms.trim();
  }
}

/** Brings into memory what staging the proposal looks at. */
export async function loadFor(desk: RoomsDesk, room: Room, proposal: Proposal): Promise<void> {
  const places = room.state.load(placesOf(room, proposal));
  if (places !== undefined) await places;
  if (proposal.stateKey !== undefined) await loadStateGroupSize(desk.db, room);
}

/**
 * Stages an event and hands it to the commit. What it looks at was loaded: {@link loadFor}. A state event that only repeats the one
 * that stands is answered with that one, so that asking again does no harm.
 */
export function sendProposal(
  desk: RoomsDesk,
  room: Room,
  proposal: Proposal,
  options: { readonly redacts?: string; readonly transaction?: TransactionKey | null } = {},
): Turn {
  const same = findSameState(room, proposal);
  if (same !== undefined) return later(answerOf(same));
  const { promise, resolve, reject } = Promise.withResolvers<number | Refusal>();
  const place = { committed: promise, offset: 0 };
  const event = stageEvent(room, proposal, place, desk.stage);
  if (isRefusal(event)) return event;
  const redacts = options.redacts ?? null;
  const effects = { redacts, transaction: options.transaction ?? null };
  const steps = storeEvent(writeOf(event, effects, desk.serverName), 0);
  room.holds += 1;
  if (redacts !== null) room.redacting.add(redacts);
  const finish = (outcome: number | Refusal): void => {
    room.holds -= 1;
    if (redacts !== null) room.redacting.delete(redacts);
    if (isRefusal(outcome)) desk.rooms.discard(room);
    resolve(outcome);
  };
  desk.commit([{ event, redacts }], steps).then(finish, reject);
  const answer = answerOf({ eventId: event.built.eventId, place });
  if (effects.transaction !== null) desk.transactions.remember(effects.transaction, answer);
  return later(answer);
}
