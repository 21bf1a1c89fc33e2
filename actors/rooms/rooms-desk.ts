import { storeEvent } from '../../db/rooms/writer.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import type { TransactionKey } from '../../db/rooms/transaction-reader.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { stickyUntil } from '../../src/matrix/events/stickiness.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { type CommitRows, rowOf, writeOf } from './commit-events.ts';
import { type Later, later } from '../kit/actor.ts';
import { type Departure, departureOf } from './leave-room.ts';
import type { InviteDesk } from './refuse-invite.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { ClientTransaction, RoomsProtocol, Sent } from './protocol.ts';
import type { Resolver } from './resolution.ts';
import type { Room, RoomMemory } from './room-memory.ts';
import { answerOf } from './room-state.ts';
import type { SettledCommits } from './settled-commits.ts';
import { findSameState, placesOf, type Proposal, type Stage, stageEvent } from './stage-event.ts';
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

/**
 * Stages an event and hands it to the commit. What it looks at was loaded: {@link loadFor}. A state event that only repeats the one
 * that stands is answered with that one, so that asking again does no harm.
 */
export function sendProposal(
  desk: RoomsDesk,
  room: Room,
  proposal: Proposal,
  options: {
    readonly redacts?: string;
    /** What the event that it redacts relates to. */
    readonly parentOfRedacted?: string | null;
    /** The annotation that it makes: there is to be no second one like it. */
    readonly annotation?: string;
    readonly transaction?: TransactionKey | null;
    /** This server leaves the room with it. */
    readonly departure?: Departure | null;
  } = {},
): Turn {
  const same = findSameState(room, proposal);
  if (same !== undefined) return later(answerOf(same));
  const { promise, resolve, reject } = Promise.withResolvers<number | Refusal>();
  const place = { committed: promise, offset: 0 };
  const event = stageEvent(room, proposal, place, desk.stage);
  if (isRefusal(event)) return event;
  const redacts = options.redacts ?? null;
  const expiresTs = stickyUntil(event.built.pdu, desk.clock.now());
  const sticky = expiresTs !== null && { stickyUntil: expiresTs };
  const effects = { redacts, transaction: options.transaction ?? null, ...sticky };
  const departure = options.departure ?? null;
  const left = departure === null ? null : departureOf(room, 1);
  const steps = [...storeEvent(writeOf(event, effects, desk.serverName), 0), ...(left?.steps ?? [])];
  room.holds += 1;
  if (redacts !== null) room.redacting.add(redacts);
  const { annotation, parentOfRedacted } = options;
  if (annotation !== undefined) room.annotating.add(annotation);
  const finish = (outcome: number | Refusal): void => {
    room.holds -= 1;
    if (redacts !== null) room.redacting.delete(redacts);
    if (annotation !== undefined) room.annotating.delete(annotation);
    if (isRefusal(outcome) || left !== null) desk.rooms.discard(room);
    resolve(outcome);
  };
  const rows = [rowOf(event, redacts, parentOfRedacted), ...(left === null ? [] : [left.row])];
  const hosts = departure === null ? {} : { furtherHosts: departure.hosts };
  desk.commit({ roomId: room.roomId, rows, steps, isOurs: true, ...hosts }).then(finish, reject);
  const answer = answerOf({ eventId: event.built.eventId, place });
  if (effects.transaction !== null) desk.transactions.remember(effects.transaction, answer);
  return later(answer);
}
