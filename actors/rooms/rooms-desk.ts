import type { ReadDb } from '../../db/kit/read-db.ts';
import type { TransactionKey } from '../../db/rooms/transaction-reader.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { BranchDesk } from './branch-state.ts';
import type { CommitRows } from './commit-events.ts';
import { type Later, later } from '../kit/actor.ts';
import type { InviteDesk } from './refuse-invite.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { ClientTransaction, RoomsProtocol, Sent } from './protocol.ts';
import type { OwnOrder } from './own-order.ts';
import type { Resolver } from './resolution.ts';
import type { RoomWork } from './room-work.ts';
import type { PolicyDesk } from './room-policy.ts';
import type { Room, RoomMemory } from './room-memory.ts';
import type { SettledCommits } from './settled-commits.ts';
import { placesOf, type Proposal, type Stage } from './stage-event.ts';
import type { TransactionMemory } from './transaction-memory.ts';

/** What the handlers of the actor share. */
export interface RoomsDesk extends InviteDesk {
  readonly db: ReadDb;
  readonly clock: Clock;
  readonly rooms: RoomMemory;
  readonly transactions: TransactionMemory;
  readonly stage: Stage;
  readonly commit: CommitRows;
  /** Resolves when no write of the room waits for its commit. */
  readonly settled: SettledCommits['settled'];
  readonly resolver: Resolver;
  readonly known: BranchDesk['known'];
  readonly policy: PolicyDesk;
  /** The order of our own events where a policy server looks at them. */
  readonly own: OwnOrder;
  readonly work: RoomWork;
  /** Has events that have come looked at for others that wait for them, in a turn of its own. */
  reconsiderLater(roomId: string, eventIds: readonly string[]): void;
  /** Has many events redacted, in turns of their own. */
  redactLater(input: InputOf<RoomsProtocol, 'rooms.redact-many'>): void;
  /** Has soft-failed sticky events looked at again, those of numbers above `after`, in a turn of its own. */
  reconsiderStickyLater(roomId: string, after: number): void;
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
 * @param unknown what is answered when this server is not in the room
 */
export async function withRoom<Answer = Turn>(
  desk: RoomsDesk,
  roomId: string,
  unknown: () => Answer | Promise<Answer>,
  turn: (room: Room) => Answer | Promise<Answer>,
): Promise<Answer> {
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
export async function loadFor(room: Room, proposal: Proposal): Promise<void> {
  const places = room.state.load(placesOf(room, proposal));
  if (places !== undefined) await places;
}
