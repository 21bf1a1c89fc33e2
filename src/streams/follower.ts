import { type BackoffPolicy, backoffMs } from '../kit/backoff.ts';
import type { Clock, Timer } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { Fact } from './fact.ts';
import type { StreamPosition, StreamRows } from './message.ts';
import { STREAM_PAGE_ROWS, type Stream, type StreamPage, type StreamRow } from './stream.ts';
import type { FollowerDrop, ViewFigures } from './stream-figures.ts';

/**
 * `unconnected`: no POSITION on this connection yet, rows are dropped. `live`: rows are applied as they come. `catching-up`: the gap is
 * being read, rows that come meanwhile are read with it. `stalled`: an update threw and is tried again later.
 */
export type FollowerState = 'unconnected' | 'live' | 'catching-up' | 'stalled';

/** How long a stream that failed waits before its next try. */
export const STALL_BACKOFF: BackoffPolicy = { initialMs: 100, factor: 2, maxMs: 30_000 };

/** What is applied in one synchronous step. */
export interface AppliedBatch {
  /** Only rows above the position before, ascending. */
  readonly rows: readonly StreamRow<unknown>[];
  readonly invalidations: readonly Fact[];
  /** The position after it. */
  readonly position: number;
  readonly forgotten?: Forgotten;
}

/** Of an in-memory stream: what the owner has forgotten and cannot tell any more. */
export interface Forgotten {
  /** Rows up to here may be among it. */
  readonly upTo: number;
  /** The keys that live up to the position before: others are held in vain. */
  readonly living: ReadonlySet<string>;
}

/** One page of a gap; `epoch` is the one that it was read in. */
export type CatchUpPage =
  (StreamPage<unknown> & { readonly epoch: number; readonly forgotten?: Forgotten }) | 'gone';

/** What a follower keeps up to date. Every function is synchronous but `read`. */
export interface FollowerTarget {
  position(): number;
  epoch(): number;
  /** Applies a batch whole, or throws before it has advanced. */
  apply(batch: AppliedBatch): void;
  /** The stream begins anew: forget its rows, be at position 0 of `epoch`. */
  reset(epoch: number): void;
  /** The rows up to `position` cannot be had any more: forget whatever depends on them, be at `position`. */
  skip(position: number): void;
  /** Reads about `limit` rows in (from, to] of `epoch`; of another epoch, from its beginning. */
  read(epoch: number, from: number, to: number, limit: number): Promise<CatchUpPage>;
}

export interface FollowerOptions {
  readonly stream: Stream;
  /** Who follows: an owner never follows itself. */
  readonly subscriber: string;
  readonly target: FollowerTarget;
  readonly clock: Clock;
  readonly log: Logger;
  readonly figures: ViewFigures;
}

/** One stream at one subscriber: takes its messages in order, finds gaps and fills them. */
export interface Follower {
  state(): FollowerState;
  receiveRows(message: StreamRows): void;
  receivePosition(message: StreamPosition): void;
  /** The connection is gone: what is half received is forgotten. */
  disconnect(): void;
  /** Ends its timer. */
  close(): void;
}

interface Progress extends FollowerOptions {
  state: FollowerState;
  /** The highest position heard of in each epoch since the catch-up began. */
  heard: Map<number, number>;
  /** The epoch of the last POSITION: what the owner has, as far as we know. */
  expected: number;
  /** Counts connections and attempts: an answer to an earlier one is void. */
  attempt: number;
  failures: number;
  retry: Timer | null;
}

function enter(progress: Progress, state: FollowerState): void {
  if (progress.state === state) return;
  progress.state = state;
  progress.figures.state.set(state);
}

/** Makes whatever is under way void. */
function abandon(progress: Progress): void {
  progress.attempt += 1;
  if (progress.retry !== null) progress.clock.cancel(progress.retry);
  progress.retry = null;
}

function hear(progress: Progress, epoch: number, position: number): void {
  progress.heard.set(epoch, Math.max(progress.heard.get(epoch) ?? 0, position));
}

function drop(progress: Progress, reason: FollowerDrop): void {
  progress.figures.dropped(reason);
}

/** One stream stands still; the others know nothing of it. */
function stall(progress: Progress, error: unknown): void {
  const { stream, target, figures, log, clock } = progress;
  progress.failures += 1;
  const delayMs = backoffMs(STALL_BACKOFF, progress.failures);
  figures.failures.add();
  figures.lastError.set(String(error));
  log.error('a stream stands still', { stream: stream.name, position: target.position(), delayMs, error });
  enter(progress, 'stalled');
  progress.retry = clock.after(delayMs, () => catchUp(progress));
}

function isBehind({ expected, heard, target }: Progress): boolean {
  return expected !== target.epoch() || (heard.get(target.epoch()) ?? 0) > target.position();
}

function applyPage(progress: Progress, page: Exclude<CatchUpPage, 'gone'>): void {
  const { target, stream, figures } = progress;
  figures.catchUpPages.add();
  figures.catchUpRows.add(page.rows.length);
  if (page.epoch !== target.epoch()) target.reset(page.epoch);
  const from = target.position();
  const rows = page.rows.filter(({ position }) => position > from);
  const invalidations = rows.flatMap(({ row }) => stream.invalidates(row));
  const forgotten = page.forgotten === undefined ? {} : { forgotten: page.forgotten };
  if (page.to > from) target.apply({ rows, invalidations, position: page.to, ...forgotten });
  progress.expected = page.epoch;
}

async function readOnce(progress: Progress, attempt: number): Promise<void> {
  const { expected, target, stream } = progress;
  const to = progress.heard.get(expected) ?? 0;
  const from = expected === target.epoch() ? target.position() : 0;
  const page = await target.read(expected, from, to, STREAM_PAGE_ROWS);
  if (attempt !== progress.attempt) return;
  if (page === 'gone') {
    target.skip(to);
    return;
  }
  if (page.epoch === expected && page.to <= from && to > from)
    throw new Error(`a page of ${stream.name} after ${from} ended at ${page.to}`);
  applyPage(progress, page);
}

async function readUntilThere(progress: Progress, attempt: number): Promise<void> {
  const startedAt = progress.clock.monotonic();
  while (attempt === progress.attempt && isBehind(progress)) {
    // Each page begins where the one before ended.
    await readOnce(progress, attempt);
  }
  if (attempt !== progress.attempt) return;
  progress.figures.catchUpMs.record(progress.clock.monotonic() - startedAt);
  progress.failures = 0;
  enter(progress, 'live');
}

function catchUp(progress: Progress): void {
  abandon(progress);
  const { attempt } = progress;
  progress.figures.catchUps.add();
  enter(progress, 'catching-up');
  readUntilThere(progress, attempt).catch((error: unknown) => {
    if (attempt === progress.attempt) stall(progress, error);
  });
}

function beginCatchUp(progress: Progress, epoch: number, position: number): void {
  progress.heard = new Map([[epoch, position]]);
  progress.expected = epoch;
  catchUp(progress);
}

function applyLive(progress: Progress, batch: AppliedBatch): void {
  const { target } = progress;
  try {
    target.apply(batch);
    progress.failures = 0;
    enter(progress, 'live');
  } catch (error) {
    progress.heard = new Map([[target.epoch(), batch.position]]);
    progress.expected = target.epoch();
    abandon(progress);
    stall(progress, error);
  }
}

function findObjection(progress: Progress, message: StreamPosition): FollowerDrop | null {
  const { stream, subscriber } = progress;
  if (message.owner === subscriber) return 'own-rows';
  if (message.owner !== stream.owner) return 'other-owner';
  if (stream.kind === 'durable' && message.epoch !== 0) return 'other-epoch';
  return null;
}

function isCatchingUp({ state }: Progress): boolean {
  return state === 'catching-up' || state === 'stalled';
}

function receiveRows(progress: Progress, message: StreamRows): void {
  const { target } = progress;
  const { epoch, prev, position, invalidations } = message;
  const objection = findObjection(progress, message);
  if (objection !== null) return drop(progress, objection);
  if (progress.state === 'unconnected') return drop(progress, 'before-position');
  if (isCatchingUp(progress)) {
    hear(progress, epoch, position);
    return drop(progress, 'during-catch-up');
  }
  if (epoch !== target.epoch()) return drop(progress, 'other-epoch');
  const current = target.position();
  if (position <= current) return drop(progress, 'duplicate');
  if (prev > current) {
    drop(progress, 'gap');
    return beginCatchUp(progress, epoch, position);
  }
  const rows = message.rows.filter((row) => row.position > current);
  return applyLive(progress, { rows, invalidations, position });
}

function receivePosition(progress: Progress, message: StreamPosition): void {
  const { target } = progress;
  const { epoch, prev, position } = message;
  const objection = findObjection(progress, message);
  if (objection !== null) return drop(progress, objection);
  if (isCatchingUp(progress)) {
    progress.expected = epoch;
    return hear(progress, epoch, position);
  }
  if (epoch !== target.epoch()) {
    // Only the owner's answer tells a new epoch from a message that an old one left behind; the first epoch needs no proof.
    if (target.epoch() !== 0 || position > 0) return beginCatchUp(progress, epoch, position);
    target.reset(epoch);
  }
  const current = target.position();
  if (prev > current) return beginCatchUp(progress, epoch, position);
  if (position > current) return applyLive(progress, { rows: [], invalidations: [], position });
  return enter(progress, 'live');
}

/** Makes a follower that is not connected. */
export function createFollower(options: FollowerOptions): Follower {
  const progress: Progress = {
    ...options,
    state: 'unconnected',
    heard: new Map(),
    expected: 0,
    attempt: 0,
    failures: 0,
    retry: null,
  };
  options.figures.state.set(progress.state);
  return {
    state: () => progress.state,
    receiveRows: (message) => receiveRows(progress, message),
    receivePosition: (message) => receivePosition(progress, message),
    disconnect() {
      abandon(progress);
      progress.heard = new Map();
      enter(progress, 'unconnected');
    },
    close: () => abandon(progress),
  };
}
