import type { ReadDb } from '../../db/kit/read-db.ts';
import type { Clock } from '../kit/clock.ts';
import type { Metrics } from '../kit/metrics.ts';
import type { ThreadCaches } from './cache.ts';
import { type ChangeMap, createChangeMap } from './change-map.ts';
import type { AppliedBatch, CatchUpPage, FollowerTarget } from './follower.ts';
import { createKeyedLog, type KeyedLog } from './keyed-log.ts';
import { findEndings, holdEndings, readFromOwner, type Reading } from './memory-catch-up.ts';
import type { Notifier } from './notifier.ts';
import { createPositionTracker, type PositionTracker } from './position-tracker.ts';
import type { Stream, StreamRow, WakeKey } from './stream.ts';
import { type ViewFigures, viewFigures } from './stream-figures.ts';
import type { OwnerLink } from './view.ts';
import { createWaiters } from './waiters.ts';

/** The steps in which a batch is applied: see {@link APPLY_ORDER}. */
export type ApplyStep = 'invalidate' | 'advance' | 'wake' | 'release';

/**
 * The order that everything rests on, in one synchronous function (STREAMS.md, 2). A parameter only so that
 * mutation tests can show that any other order is wrong.
 */
export const APPLY_ORDER: readonly ApplyStep[] = ['invalidate', 'advance', 'wake', 'release'];

/** How many rows of an in-memory stream a thread holds; the oldest makes room. */
export const VIEW_MEMORY_ROWS_MAX = 100_000;

/** One stream as one thread sees it. */
export interface StreamView extends FollowerTarget {
  readonly stream: Stream;
  readonly figures: ViewFigures;
  /** Where the thread begins: what the database has before anything was heard. */
  startAt(position: number): void;
  readonly changes: Pick<ChangeMap, 'mayHaveChanged' | 'lastChange'>;
  /** What the epoch before held when it ended. */
  forgotten(): readonly unknown[];
  /** Rows up to here may have been forgotten, by the owner or here. */
  forgottenUpTo(): number;
  rowsAfter(from: number): readonly StreamRow<unknown>[];
  wait(position: number, epoch: number | null, timeoutMs: number): Promise<boolean>;
  close(): void;
}

export interface StreamViewOptions {
  readonly stream: Stream;
  readonly db: ReadDb;
  readonly caches: ThreadCaches;
  readonly notifier: Notifier;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** How in-memory streams are read. */
  readonly link: () => OwnerLink | null;
  readonly applyOrder: readonly ApplyStep[];
}

async function readGap({ stream, db, link }: StreamViewOptions, ...reading: Reading): Promise<CatchUpPage> {
  if (stream.kind === 'durable') {
    const [, from, to, limit] = reading;
    const page = await stream.read(db, from, to, limit);
    return page === 'gone' ? page : { epoch: 0, rows: page.rows, to: page.to };
  }
  const owner = link();
  if (owner === null) throw new Error(`${stream.name} cannot be read: its owner is not connected`);
  return readFromOwner(stream, owner, ...reading);
}

interface BatchPlan {
  /** Whom it wakes, by position, ascending. */
  readonly woken: readonly { readonly at: number; readonly keys: readonly WakeKey[] }[];
  /** Holds its rows, if they are of an in-memory stream. */
  readonly hold: () => void;
}

/** Whatever of a batch may throw is asked here, before anything is changed. */
function planBatch(
  stream: Stream,
  held: KeyedLog<unknown>,
  { rows, forgotten }: AppliedBatch,
  current: number,
): BatchPlan {
  const endedAt = current + 1;
  const endings = findEndings(stream, held, forgotten);
  const keys = stream.kind === 'memory' ? rows.map(({ row }) => stream.key(row)) : [];
  return {
    woken: [
      ...endings.map(({ wakes }) => ({ at: endedAt, keys: wakes })),
      ...rows.map(({ position, row }) => ({ at: position, keys: stream.wakes(row) })),
    ],
    hold() {
      holdEndings(held, endings, endedAt);
      held.noteForgotten(forgotten?.upTo ?? 0);
      for (const [index, { position, row }] of rows.entries())
        if (keys[index] !== undefined) held.add(position, keys[index], row);
    },
  };
}

/** Makes the view of one stream, at its beginning. */
export function createStreamView(options: StreamViewOptions): StreamView {
  const { stream, caches, notifier, applyOrder } = options;
  const figures = viewFigures(options.metrics, stream.name);
  const trackerAt = (start: number): PositionTracker =>
    createPositionTracker({ stream: stream.name, role: 'follower', start });
  const changes = createChangeMap(0);
  const held = createKeyedLog<unknown>(VIEW_MEMORY_ROWS_MAX, () => undefined);
  const waiters = createWaiters(options.clock, figures.waiters, figures.waitersTimedOut);
  let tracker = trackerAt(0);
  let epoch = 0;
  let lastEpoch: readonly unknown[] = [];

  const moveTo = (position: number): void => figures.applied.set(tracker.advance(position));
  const apply = (batch: AppliedBatch): void => {
    const { invalidations, position } = batch;
    const { woken, hold } = planBatch(stream, held, batch, tracker.current());
    const steps: Readonly<Record<ApplyStep, () => void>> = {
      invalidate: () => caches.applyFacts(invalidations),
      advance() {
        hold();
        for (const { at, keys } of woken) for (const key of keys) changes.record(key, at);
        moveTo(position);
      },
      wake: () => notifier.wake(new Set(woken.flatMap(({ keys }) => keys))),
      release: () => waiters.release(tracker.current(), epoch),
    };
    for (const step of applyOrder) steps[step]();
    figures.rowsApplied.add(batch.rows.length);
    figures.invalidationsApplied.add(invalidations.length);
  };

  return {
    stream,
    figures,
    position: () => tracker.current(),
    epoch: () => epoch,
    apply,
    reset(next) {
      lastEpoch = held.after(-Infinity).map(({ row }) => row);
      held.clear();
      changes.restart(0);
      epoch = next;
      tracker = trackerAt(0);
      figures.applied.set(0);
      figures.appliedEpoch.set(next);
      figures.resets.add();
      // Who was told of them is to learn that they are no more.
      notifier.wake(new Set(lastEpoch.flatMap((row) => stream.wakes(row))));
      // An owner that has said nothing yet answers with its beginning: who waits for that waits no longer.
      waiters.release(tracker.current(), epoch);
    },
    skip(position) {
      caches.clear();
      changes.restart(position);
      moveTo(position);
      if (stream.letter !== null) notifier.wake(['everyone']);
      waiters.release(tracker.current(), epoch);
    },
    read: (...request) => readGap(options, ...request),
    startAt(position) {
      changes.restart(position);
      moveTo(position);
    },
    changes,
    forgotten: () => lastEpoch,
    forgottenUpTo: () => held.forgottenUpTo(),
    rowsAfter: (from) => held.after(from),
    wait: (position, of, timeoutMs) =>
      tracker.current() >= position && (of ?? epoch) === epoch
        ? Promise.resolve(true)
        : waiters.wait(position, of, timeoutMs),
    close: () => waiters.close(),
  };
}
