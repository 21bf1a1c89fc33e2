import type { Clock, Milliseconds } from '../../src/kit/clock.ts';
import type { MailboxOptions } from './actor.ts';
import type { TellOutcome } from './ref.ts';

/**
 * The mailboxes of one life of one thread in shared memory: 64 bytes for the thread, 64 for each actor. Senders on all threads
 * reserve their place here before they send, so that a full mailbox and a dead thread are known at once; the supervisor
 * reads them while the thread is blocked. Each life of a thread gets new cells, so that senders who do not know yet of a death
 * count into cells that nobody reads any more.
 */
export interface MailboxCells {
  readonly buffer: SharedArrayBuffer;
  readonly ints: Int32Array;
  readonly floats: Float64Array;
}

const CELL_BYTES = 64;
const CELL_INTS = CELL_BYTES / 4;
const CELL_FLOATS = CELL_BYTES / 8;

/** Of the thread: not 0 when it is dead. */
const THREAD_DEAD = 0;
/** Of the thread: its last heartbeat (float64, `clock.monotonic()`; not a number before the first). */
const THREAD_HEARTBEAT = 1;

/** Of an actor: messages that wait, those on their way included. */
const DEPTH = 0;
/** Of an actor: messages that have begun and are not answered yet. */
const OPEN = 1;
const STATE = 2;
const LIMIT = 3;
const DROPS_OLDEST = 4;
const INCARNATION = 5;
/** Of an actor: since when its oldest message waits that has arrived (float64, `clock.monotonic()`; not a number when none does). */
const OLDEST_AT = 4;
/** Of an actor: when a message was last sent to its empty mailbox (float64, `clock.monotonic()`). */
const SENT_AT = 5;

/**
 * What an actor is doing. `waiting`: for its start, after the others; `crashed`: between two lives; `stopping`: works off what waits
 * and takes nothing new.
 */
export const ACTOR_STATES = ['waiting', 'starting', 'running', 'crashed', 'stopping', 'stopped'] as const;
export type ActorState = (typeof ACTOR_STATES)[number];

/** From here on an actor takes no messages. */
const STATE_STOPPING = ACTOR_STATES.indexOf('stopping');

/** How often a thread shows that it turns. */
export const HEARTBEAT_MS = 250;
/** From here on a thread is taken for one that does not turn. */
const HEARTBEAT_OVERDUE_MS = 2 * HEARTBEAT_MS;

/** What a mailbox takes while its thread has not come up yet and said what its limit is. */
export const MAILBOX_LIMIT_BEFORE_BOOT = 256;

/** A mailbox that drops its oldest takes at most this many times its limit while its thread does not look at it. */
export const DROP_OLDEST_BACKLOG_FACTOR = 2;

/** Opens cells that another thread made. */
export function openMailboxCells(buffer: SharedArrayBuffer): MailboxCells {
  return { buffer, ints: new Int32Array(buffer), floats: new Float64Array(buffer) };
}

/** New cells for a thread with this many actors. */
export function createMailboxCells(actors: number): MailboxCells {
  const cells = openMailboxCells(new SharedArrayBuffer(CELL_BYTES * (actors + 1)));
  cells.floats[THREAD_HEARTBEAT] = Number.NaN;
  for (let slot = 0; slot < actors; slot += 1) {
    cells.ints[intAt(slot, LIMIT)] = MAILBOX_LIMIT_BEFORE_BOOT;
    setOldest(cells, slot, Number.NaN);
  }
  return cells;
}

function intAt(slot: number, field: number): number {
  return (slot + 1) * CELL_INTS + field;
}

function floatAt(slot: number, field: number): number {
  return (slot + 1) * CELL_FLOATS + field;
}

/** Says what the limit of a mailbox is. */
export function setMailboxOptions(cells: MailboxCells, slot: number, options: MailboxOptions): void {
  Atomics.store(cells.ints, intAt(slot, DROPS_OLDEST), options.whenFull === 'drop-oldest' ? 1 : 0);
  Atomics.store(cells.ints, intAt(slot, LIMIT), options.limit);
}

/**
 * What one thread has sent to another over one link, by the slot of the receiver, in shared memory. When the sender's thread dies, the
 * receiver gives back the places of what never arrives.
 */
export type Flight = Int32Array;

/** New counts of what is sent to a thread with this many actors. */
export function createFlight(actors: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * Math.max(1, actors));
}

/**
 * Takes a place in a mailbox, at the sender. Only with `sent` a place was taken, and a message must follow.
 *
 * @param flight counts what is sent to another thread; null on the receiver's own
 */
export function reservePlace(
  cells: MailboxCells,
  slot: number,
  clock: Clock,
  flight: Flight | null,
): TellOutcome {
  const { ints } = cells;
  const depthAt = intAt(slot, DEPTH);
  // No call stands between this and the place: a thread is not terminated between the two.
  if (flight !== null) flight[slot] = (flight[slot] ?? 0) + 1;
  // First the place, then the look at the state: an actor that stops sets its state first and then looks at the depth, so that
  // either this sender sees that it stops, or it sees this message.
  const before = Atomics.add(ints, depthAt, 1);
  if (Atomics.load(ints, THREAD_DEAD) !== 0 || Atomics.load(ints, intAt(slot, STATE)) >= STATE_STOPPING) {
    Atomics.sub(ints, depthAt, 1);
    if (flight !== null) flight[slot] = (flight[slot] ?? 0) - 1;
    return 'stopped';
  }
  const limit = ints[intAt(slot, LIMIT)] ?? 0;
  if (
    before >= limit &&
    (ints[intAt(slot, DROPS_OLDEST)] === 0 || before >= limit * DROP_OLDEST_BACKLOG_FACTOR)
  ) {
    Atomics.sub(ints, depthAt, 1);
    if (flight !== null) flight[slot] = (flight[slot] ?? 0) - 1;
    return 'mailbox-full';
  }
  if (before === 0) cells.floats[floatAt(slot, SENT_AT)] = clock.monotonic();
  return 'sent';
}

/** Gives back the place of a message that waits no longer. */
export function releasePlace(cells: MailboxCells, slot: number): void {
  Atomics.sub(cells.ints, intAt(slot, DEPTH), 1);
}

/** Says, on the receiver's thread, since when its oldest message waits; not a number when none does. */
export function setOldest(cells: MailboxCells, slot: number, oldestAt: Milliseconds): void {
  cells.floats[floatAt(slot, OLDEST_AT)] = oldestAt;
}

/** Messages that wait or are on their way. */
export function depthOf(cells: MailboxCells, slot: number): number {
  return Atomics.load(cells.ints, intAt(slot, DEPTH));
}

/**
 * For how long the oldest message waits; 0 when none does. What has not arrived counts only while the receiver's heart stands still: else
 * it is the sender that keeps it, and the receiver is not to blame.
 */
export function oldestAgeMs(cells: MailboxCells, slot: number, clock: Clock): Milliseconds {
  const arrivedAgeMs = clock.monotonic() - (cells.floats[floatAt(slot, OLDEST_AT)] ?? Number.NaN);
  if (!Number.isNaN(arrivedAgeMs)) return Math.max(0, arrivedAgeMs);
  const stillMs = heartbeatAgeMs(cells, clock);
  if (stillMs <= HEARTBEAT_OVERDUE_MS || depthOf(cells, slot) <= 0) return 0;
  const sentAgeMs = clock.monotonic() - (cells.floats[floatAt(slot, SENT_AT)] ?? 0);
  return Math.max(0, Math.min(stillMs, sentAgeMs));
}

export function setOpen(cells: MailboxCells, slot: number, open: number): void {
  Atomics.store(cells.ints, intAt(slot, OPEN), open);
}

/** Messages that have begun and are not answered yet. */
export function openOf(cells: MailboxCells, slot: number): number {
  return Atomics.load(cells.ints, intAt(slot, OPEN));
}

export function setState(cells: MailboxCells, slot: number, state: ActorState): void {
  Atomics.store(cells.ints, intAt(slot, STATE), ACTOR_STATES.indexOf(state));
}

export function stateOf(cells: MailboxCells, slot: number): ActorState {
  return ACTOR_STATES[Atomics.load(cells.ints, intAt(slot, STATE))] ?? 'waiting';
}

export function setIncarnation(cells: MailboxCells, slot: number, incarnation: number): void {
  Atomics.store(cells.ints, intAt(slot, INCARNATION), incarnation);
}

/** From now on every sender is told `stopped`, on all threads. */
export function markThreadDead(cells: MailboxCells): void {
  Atomics.store(cells.ints, THREAD_DEAD, 1);
}

export function beatHeart(cells: MailboxCells, clock: Clock): void {
  cells.floats[THREAD_HEARTBEAT] = clock.monotonic();
}

/** For how long the heart has not beaten; 0 for a thread that has no heartbeat (yet). */
export function heartbeatAgeMs(cells: MailboxCells, clock: Clock): Milliseconds {
  const ageMs = clock.monotonic() - (cells.floats[THREAD_HEARTBEAT] ?? Number.NaN);
  return Number.isNaN(ageMs) ? 0 : Math.max(0, ageMs);
}
