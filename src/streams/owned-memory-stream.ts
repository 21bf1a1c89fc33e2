import type { Clock } from '../kit/clock.ts';
import type { Random } from '../kit/random.ts';
import { createKeyedLog, type KeyedLog } from './keyed-log.ts';
import type { PositionContent } from './message-batches.ts';
import { contentOf, type OwnedStreamOptions, type StreamServer, wishOf } from './owned-stream.ts';
import { createPositionTracker, type PositionTracker } from './position-tracker.ts';
import { createPublisher, type Publisher } from './publisher.ts';
import type { MemoryStream } from './stream.ts';
import { type OwnerFigures, ownerFigures, SUBSCRIBERS_MAX } from './stream-figures.ts';

/** An in-memory stream as its owner holds it. */
export interface MemoryStreamOwner<Row> {
  readonly epoch: number;
  currentToken(): number;
  /** Appends a row; it is published when the current turn ends, together with others of that turn. Gives its position. */
  append(row: Row): number;
  /**
   * Forgets the latest row of a key, without telling anyone: for keys whose absence says the same. Who missed that row learns from the next
   * catch-up that it may have missed something.
   */
  forget(key: string): void;
  /** The latest row of a key. */
  latest(key: string): Row | undefined;
}

/** How many rows an in-memory stream holds; the oldest makes room, which is counted. */
export const MEMORY_STREAM_ROWS_MAX = 1_000_000;

/** How many rows one `stream.read` gives at most, whatever was asked for. */
export const MEMORY_PAGE_ROWS_MAX = 1_000;

export interface OwnedMemoryStreamOptions<Row> extends OwnedStreamOptions {
  readonly stream: MemoryStream<string, Row>;
  /** Another one in every life: see {@link nextEpoch}. */
  readonly epoch: number;
  /** {@link MEMORY_STREAM_ROWS_MAX} when absent. */
  readonly rowsMax?: number;
}

const EPOCHS_PER_MS = 1_024;
const LIVES_TOLD_APART = 32;

/**
 * An epoch that no earlier life has had, after a restart of the process neither: the time, with the incarnation and chance for lives
 * that begin in the same millisecond. A safe integer until the year 2248.
 */
export function nextEpoch(clock: Clock, random: Random, incarnation: number): number {
  const within = (incarnation % LIVES_TOLD_APART) * (EPOCHS_PER_MS / LIVES_TOLD_APART);
  return Math.floor(clock.now()) * EPOCHS_PER_MS + within + random.integer(EPOCHS_PER_MS / LIVES_TOLD_APART);
}

interface Ownership<Row> extends OwnedMemoryStreamOptions<Row> {
  readonly publisher: Publisher;
  readonly figures: OwnerFigures;
  readonly tracker: PositionTracker;
  readonly log: KeyedLog<Row>;
  /** Of a stream that is trimmed: how far each subscriber to its rows has acknowledged, connected or not. */
  readonly acknowledged: Map<string, number>;
  /** Appended and not published yet. */
  pending: PositionContent[];
}

function isTrimmed<Row>({ stream }: Ownership<Row>): boolean {
  return stream.retention === 'until-acknowledged';
}

function announce<Row>(ownership: Ownership<Row>): void {
  const { pending: contents, figures, caches, publisher, log } = ownership;
  ownership.pending = [];
  const invalidations = contents.flatMap((content) => content.invalidations);
  figures.pokesIn.add(invalidations.length);
  caches?.applyFacts(invalidations);
  publisher.publish(contents);
  figures.rowsHeld.set(log.size());
}

function flush<Row>(ownership: Ownership<Row>): void {
  try {
    announce(ownership);
  } catch (error) {
    ownership.crash(error);
  }
}

function append<Row>(ownership: Ownership<Row>, row: Row): number {
  const { stream, tracker, log, figures, pending } = ownership;
  const key = stream.key(row);
  if (key === null && !isTrimmed(ownership))
    throw new Error(`a row of ${stream.name} has no key and nothing trims it`);
  const [position = 0] = tracker.reserve();
  const content = contentOf(stream, position, [row]);
  log.add(position, key, row);
  figures.committed.set(tracker.complete(position));
  if (pending.length === 0) queueMicrotask(() => flush(ownership));
  pending.push(content);
  return position;
}

function trim<Row>({ acknowledged, log, figures }: Ownership<Row>): void {
  if (acknowledged.size > 0) log.trim(Math.min(...acknowledged.values()));
  figures.rowsHeld.set(log.size());
}

function serve<Row>(ownership: Ownership<Row>): StreamServer {
  const { stream, epoch, publisher, tracker, log, acknowledged } = ownership;
  return {
    stream: stream.name,
    subscribe(input) {
      const { subscriber } = input;
      const wish = wishOf(stream, input);
      const isCounted = isTrimmed(ownership) && !wish.positionsOnly && !acknowledged.has(subscriber);
      if (isCounted && acknowledged.size < SUBSCRIBERS_MAX) acknowledged.set(subscriber, 0);
      publisher.subscribe(subscriber, wish);
    },
    unsubscribe({ subscriber }) {
      publisher.unsubscribe(subscriber);
      if (acknowledged.delete(subscriber)) trim(ownership);
    },
    acknowledge({ subscriber, epoch: of, position }) {
      if (of !== epoch) return;
      publisher.acknowledge(subscriber, position);
      const before = acknowledged.get(subscriber);
      if (before === undefined || position <= before) return;
      acknowledged.set(subscriber, position);
      trim(ownership);
    },
    read({ epoch: of, from, to, limit }) {
      const rowsMax = Math.min(limit, MEMORY_PAGE_ROWS_MAX);
      const isOurs = of === epoch;
      const upTo = isOurs ? Math.min(to, tracker.current()) : tracker.current();
      const after = isOurs ? from : 0;
      const forgottenUpTo = log.forgottenUpTo();
      return {
        epoch,
        ...log.page(after, upTo, rowsMax),
        ...(forgottenUpTo > after ? { forgottenUpTo } : {}),
      };
    },
    close: () => publisher.close(),
  };
}

/**
 * An in-memory stream in the hands of its owner. Catching up costs what lives, not what was ever said.
 *
 * A stream that is kept until acknowledged remembers who subscribed to its rows, and how far each has acknowledged, until they
 * unsubscribe: who crashed finds what it had not acknowledged.
 */
export function createOwnedMemoryStream<Row>(options: OwnedMemoryStreamOptions<Row>): {
  readonly owner: MemoryStreamOwner<Row>;
  readonly server: StreamServer;
} {
  const { stream, epoch } = options;
  const figures = ownerFigures(options.metrics, stream.name);
  const ownership: Ownership<Row> = {
    ...options,
    figures,
    publisher: createPublisher({ ...options, stream: stream.name, start: 0, figures }),
    tracker: createPositionTracker({ stream: stream.name, role: 'writer', start: 0 }),
    log: createKeyedLog<Row>(options.rowsMax ?? MEMORY_STREAM_ROWS_MAX, () => figures.rowsOverflowed.add()),
    acknowledged: new Map(),
    pending: [],
  };
  figures.owner.set(options.owner);
  figures.epoch.set(epoch);
  figures.committed.set(0);
  figures.published.set(0);
  return {
    owner: {
      epoch,
      currentToken: () => ownership.tracker.current(),
      append: (row) => append(ownership, row),
      forget: (key) => ownership.log.forget(key),
      latest: (key) => ownership.log.latest(key),
    },
    server: serve(ownership),
  };
}
