import type { Clock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import { createPositionLedger } from './position-ledger.ts';
import type { StreamDeclaration } from './positions.ts';
import type { Query } from './query.ts';
import { createQueryStatements, createQueryTimes } from './query-statements.ts';
import { openWriteConnection } from './sqlite.ts';
import { createTransactionRunner, type SetResult, WriteSetDefect } from './write-transaction.ts';
import type { WriteDb, WriteOutcome, WriteSet } from './write-set.ts';

/** Sets in one transaction. More than these wait for the next one. */
export const SETS_PER_TRANSACTION_MAX = 512;

/** Bytes of parameters in one transaction, unless a single set has more. */
export const TRANSACTION_BYTES_MAX = 8 * 1024 * 1024;

/** Sets that wait for their transaction; the next one is told that storage is busy. */
export const SETS_WAITING_MAX = 10_000;

/** Bytes of parameters that wait. */
export const BYTES_WAITING_MAX = 64 * 1024 * 1024;

/** The one write connection of the program. */
export interface GroupCommit extends WriteDb {
  /**
   * The last committed forward position of a stream.
   *
   * @throws for a stream that is not declared
   */
  position(stream: string): number;
  /** Resolves when every set that was handed over before has its outcome, whatever it is; at once when none waits. */
  settled(): Promise<void>;
  /** Commits what waits and closes the connection. Writes after that are rejected. */
  close(): void;
}

export interface GroupCommitOptions {
  readonly path: string;
  /** Every query that a step may name. */
  readonly queries: ReadonlyMap<string, Query>;
  readonly streams: readonly StreamDeclaration[];
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Calls `commit` once, after the messages that have arrived by now were handled. By default at the end of the event loop's turn:
   * a lone write is not delayed, and what piles up while a commit blocks the thread becomes the next batch.
   */
  readonly whenTurnEnds?: (commit: () => void) => void;
}

interface Waiting {
  readonly set: WriteSet;
  readonly sizeBytes: number;
  readonly resolve: (outcome: WriteOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** A rough size: texts and blobs count, numbers as 8. */
function sizeOf(set: WriteSet): number {
  let sizeBytes = 0;
  for (const { params } of set.steps)
    for (const value of Object.values(params)) {
      if (typeof value === 'string') sizeBytes += value.length;
      else sizeBytes += value instanceof Uint8Array ? value.byteLength : 8;
    }
  return sizeBytes;
}

function createFigures(metrics: Metrics, clock: Clock, log: Logger) {
  const counter = (name: string) => metrics.counter(`commit.${name}`);
  const [transactions, sets, refused] = [counter('transactions'), counter('sets'), counter('refused')];
  const [unavailable, defects] = [counter('unavailable'), counter('defects')];
  const setsPerTransaction = metrics.histogram('commit.sets-per-transaction');
  const time = metrics.histogram('commit.time');
  const waiting = metrics.gauge('commit.waiting');
  const lastError = metrics.text('commit.last-error');
  // On the monotonic clock, which is the same for all threads.
  const committedAt = metrics.gauge('commit.committed-at');
  const unavailableAt = metrics.gauge('commit.unavailable-at');
  return {
    waiting,
    transaction(count: number, durationMs: number): void {
      transactions.add();
      sets.add(count);
      setsPerTransaction.record(count);
      time.record(durationMs);
    },
    /** Counts one result; storage faults and defects are logged, refusals are ordinary. */
    result(result: SetResult, owner: string): void {
      if (result instanceof WriteSetDefect) {
        defects.add();
        lastError.set(result.message);
        log.error('a write set is defective', { owner, error: result });
      } else if (result.kind === 'refused') refused.add();
      else if (result.kind === 'committed') committedAt.set(clock.monotonic());
      else if (result.kind === 'unavailable') {
        unavailable.add();
        unavailableAt.set(clock.monotonic());
        lastError.set(`${result.fault}: ${result.detail}`);
        log.error('storage cannot be written', { owner, fault: result.fault, detail: result.detail });
      }
    },
  };
}

/** The queue before the connection: bounded, first come first served, cut into batches. */
function createQueue() {
  let waiting: Waiting[] = [];
  let bytesWaiting = 0;
  /** Of the set that came last: all before it have theirs by then. */
  let lastOutcome: Promise<unknown> = Promise.resolve();
  return {
    length: () => waiting.length,
    isFull: () => waiting.length >= SETS_WAITING_MAX || bytesWaiting >= BYTES_WAITING_MAX,
    push(set: WriteSet): Promise<WriteOutcome> {
      const { promise, resolve, reject } = Promise.withResolvers<WriteOutcome>();
      const sizeBytes = sizeOf(set);
      waiting.push({ set, sizeBytes, resolve, reject });
      bytesWaiting += sizeBytes;
      lastOutcome = promise;
      return promise;
    },
    async settled(): Promise<void> {
      await Promise.allSettled([lastOutcome]);
    },
    takeBatch(): readonly Waiting[] {
      let [count, sizeBytes] = [0, 0];
      for (const entry of waiting) {
        const isOver =
          count >= SETS_PER_TRANSACTION_MAX || sizeBytes + entry.sizeBytes > TRANSACTION_BYTES_MAX;
        if (count > 0 && isOver) break;
        count += 1;
        sizeBytes += entry.sizeBytes;
      }
      const batch = waiting.slice(0, count);
      waiting = waiting.slice(count);
      bytesWaiting -= sizeBytes;
      return batch;
    },
  };
}

/**
 * Opens the write connection and reads where each stream stands. What is waiting at one moment becomes one transaction and one fsync.
 *
 * @throws SqliteError when the file cannot be opened for writing
 */
export function openGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { path, queries, streams, metrics, clock, log } = options;
  const whenTurnEnds = options.whenTurnEnds ?? ((commit) => void setImmediate(commit));
  const connection = openWriteConnection(path);
  const ledger = createPositionLedger(connection, streams);
  const runTransaction = createTransactionRunner({
    connection,
    path,
    statements: createQueryStatements(connection),
    times: createQueryTimes(metrics, clock),
    ledger,
    findQuery: (name) => queries.get(name),
  });
  const figures = createFigures(metrics, clock, log);
  const queue = createQueue();
  let isScheduled = false;
  let isClosed = false;

  const commitBatch = (): void => {
    const batch = queue.takeBatch();
    const startedMs = clock.monotonic();
    let results: readonly SetResult[];
    try {
      results = runTransaction(batch.map(({ set }) => set));
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    figures.transaction(batch.length, clock.monotonic() - startedMs);
    for (const [index, { set, resolve, reject }] of batch.entries()) {
      const result = results[index];
      if (result === undefined) throw new Error(`no result for the write set of ${set.owner}`);
      figures.result(result, set.owner);
      if (result instanceof WriteSetDefect) reject(result);
      else resolve(result);
    }
  };
  const turnEnded = (): void => {
    isScheduled = false;
    if (queue.length() > 0) commitBatch();
    figures.waiting.set(queue.length());
    if (queue.length() > 0) schedule();
  };
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    whenTurnEnds(turnEnded);
  };

  return {
    write(set) {
      if (isClosed) return Promise.reject(new Error('the store is closed'));
      if (queue.isFull()) {
        const detail = `${queue.length()} write sets are waiting`;
        const outcome = { kind: 'unavailable', fault: 'busy', detail } as const;
        figures.result(outcome, set.owner);
        return Promise.resolve(outcome);
      }
      const outcome = queue.push(set);
      schedule();
      return outcome;
    },
    position: (stream) => ledger.position(stream),
    settled: () => queue.settled(),
    close() {
      if (isClosed) return;
      isClosed = true;
      while (queue.length() > 0) commitBatch();
      connection.close();
    },
  };
}
