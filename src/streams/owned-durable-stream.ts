import type { WriteOutcome, WriteSet, WriteStep } from '../../db/kit/write-set.ts';
import type { PositionContent } from './message-batches.ts';
import { contentOf, type OwnedStreamOptions, type StreamServer, wishOf } from './owned-stream.ts';
import { createPositionTracker, type PositionTracker } from './position-tracker.ts';
import { createPublisher, type Publisher } from './publisher.ts';
import type { DurableStream } from './stream.ts';
import { type OwnerFigures, ownerFigures } from './stream-figures.ts';

/** A write that advances a durable stream. */
export interface StreamWrite<Row> {
  /** How many positions it takes, at least 1. */
  readonly count: number;
  /** Statements; `positionOffset` binds `:position`. */
  readonly steps: readonly WriteStep[];
  /** Called after the commit with the positions that were allocated, ascending: the rows of each, in the same order. */
  readonly rows: (positions: readonly number[]) => readonly (readonly Row[])[];
}

/** A durable stream as its owner holds it. */
export interface DurableStreamOwner<Row> {
  /** The last position whose rows, and all before them, are committed. */
  currentToken(): number;
  /**
   * Commits, then publishes the rows in order of position, then resolves. Refused and unavailable writes publish nothing.
   * Writes may overlap; they are committed and published in the order of the calls.
   *
   * @throws (rejection) when a statement is defective or it is unknown whether it was committed: nothing more is published in this
   *   life, and the owner is to crash
   */
  write(request: StreamWrite<Row>): Promise<WriteOutcome>;
  /** The same for history: `count` negative positions, nothing published, nobody woken, the token stays. */
  writeBackward(request: Omit<StreamWrite<Row>, 'rows'>): Promise<WriteOutcome>;
}

export interface OwnedDurableStreamOptions<Row> extends OwnedStreamOptions {
  readonly stream: DurableStream<string, Row>;
  /** The stream's high-water mark. */
  readonly start: number;
  /** Hands a write set to the committer. */
  readonly write: (set: WriteSet) => Promise<WriteOutcome>;
}

interface SettledWrite {
  /** Ascending; empty when nothing was committed. */
  readonly contents: readonly PositionContent[];
  /** Releases the writer, after its rows were published. */
  readonly release: () => void;
  readonly fail: (error: Error) => void;
}

interface Ownership<Row> extends OwnedDurableStreamOptions<Row> {
  readonly publisher: Publisher;
  readonly figures: OwnerFigures;
  /** The committer allocates the positions, in the order of our calls: the calls are what is reserved and completed here. */
  readonly calls: PositionTracker;
  readonly settled: Map<number, SettledWrite>;
  token: number;
  /** The last call whose outcome went out. */
  announced: number;
  isFlushing: boolean;
  failure: Error | null;
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The writes that are over and have none before them that is not, in order. */
function takeSettled<Row>(ownership: Ownership<Row>): readonly SettledWrite[] {
  const { settled, calls } = ownership;
  const writes: SettledWrite[] = [];
  while (ownership.announced < calls.current()) {
    ownership.announced += 1;
    const write = settled.get(ownership.announced);
    settled.delete(ownership.announced);
    if (write !== undefined) writes.push(write);
  }
  return writes;
}

/** Nothing more is published: what came next would deny the positions that the failed write may have taken. */
function fail<Row>(ownership: Ownership<Row>, error: Error): void {
  ownership.failure ??= error;
  for (const write of ownership.settled.values()) write.fail(ownership.failure);
  ownership.settled.clear();
}

function announce<Row>(ownership: Ownership<Row>, writes: readonly SettledWrite[]): void {
  const { caches, publisher, figures } = ownership;
  const contents = writes.flatMap((write) => write.contents);
  const invalidations = contents.flatMap((content) => content.invalidations);
  ownership.token = contents[contents.length - 1]?.position ?? ownership.token;
  figures.committed.set(ownership.token);
  figures.pokesIn.add(invalidations.length);
  caches?.applyFacts(invalidations);
  publisher.publish(contents);
}

function flush<Row>(ownership: Ownership<Row>): void {
  ownership.isFlushing = false;
  if (ownership.failure !== null) return;
  const writes = takeSettled(ownership);
  try {
    announce(ownership, writes);
    for (const write of writes) write.release();
  } catch (error) {
    // The writers get it, and crash their actor.
    for (const write of writes) write.fail(asError(error));
  }
}

function settle<Row>(
  ownership: Ownership<Row>,
  call: number,
  contents: readonly PositionContent[],
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  ownership.settled.set(call, { contents, release: resolve, fail: reject });
  ownership.calls.complete(call);
  if (!ownership.isFlushing) {
    ownership.isFlushing = true;
    // Replies of one group commit arrive in one turn: waiting for its end makes them one message.
    queueMicrotask(() => flush(ownership));
  }
  return promise;
}

function contentsOf<Row>(
  { stream }: Ownership<Row>,
  request: StreamWrite<Row>,
  outcome: WriteOutcome,
): readonly PositionContent[] {
  if (outcome.kind !== 'committed') return [];
  const { position } = outcome;
  if (position === null) throw new Error(`a write of ${stream.name} came back without its position`);
  const positions = Array.from({ length: request.count }, (_, offset) => position + offset);
  const rows = request.rows(positions);
  return positions.map((at, offset) => contentOf(stream, at, rows[offset] ?? []));
}

async function writeForward<Row>(
  ownership: Ownership<Row>,
  request: StreamWrite<Row>,
): Promise<WriteOutcome> {
  if (ownership.failure !== null) throw ownership.failure;
  const [call = 0] = ownership.calls.reserve();
  const advance = { stream: ownership.stream.name, count: request.count };
  try {
    const outcome = await ownership.write({ owner: ownership.owner, advance, steps: request.steps });
    if (ownership.failure !== null) throw ownership.failure;
    await settle(ownership, call, contentsOf(ownership, request, outcome));
    return outcome;
  } catch (error) {
    fail(ownership, asError(error));
    throw error;
  }
}

/**
 * A durable stream in the hands of its owner: commit, advance the own token, apply the own invalidations, publish.
 * What one group commit settles goes out together.
 */
export function createOwnedDurableStream<Row>(options: OwnedDurableStreamOptions<Row>): {
  readonly owner: DurableStreamOwner<Row>;
  readonly server: StreamServer;
} {
  const { stream, owner, start } = options;
  const figures = ownerFigures(options.metrics, stream.name);
  const publisher = createPublisher({ ...options, stream: stream.name, epoch: 0, figures });
  const calls = createPositionTracker({ stream: `writes of ${stream.name}`, role: 'writer', start: 0 });
  const ownership: Ownership<Row> = {
    ...options,
    publisher,
    figures,
    calls,
    settled: new Map(),
    token: start,
    announced: 0,
    isFlushing: false,
    failure: null,
  };
  figures.owner.set(owner);
  figures.epoch.set(0);
  figures.committed.set(start);
  figures.published.set(start);
  return {
    owner: {
      currentToken: () => ownership.token,
      write: (request) => writeForward(ownership, request),
      writeBackward: ({ count, steps }) =>
        options.write({ owner, advance: { stream: stream.name, count, direction: 'backward' }, steps }),
    },
    server: {
      stream: stream.name,
      subscribe: (input) => publisher.subscribe(input.subscriber, wishOf(stream, input)),
      unsubscribe: ({ subscriber }) => publisher.unsubscribe(subscriber),
      acknowledge: ({ subscriber, position }) => publisher.acknowledge(subscriber, position),
      read: () => {
        throw new Error(`${stream.name} is read from the database, not from its owner`);
      },
      close: () => publisher.close(),
    },
  };
}
