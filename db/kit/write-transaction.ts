import type { Query, SqlParams } from './query.ts';
import type { QueryStatements, QueryTimes } from './query-statements.ts';
import type { Allocation, PositionLedger } from './position-ledger.ts';
import type { SqliteConnection } from './sqlite.ts';
import { findStorageFailure, type StorageFailure } from './storage-fault.ts';
import type { WriteOutcome, WriteSet, WriteStep } from './write-set.ts';

/** A write set that can never succeed as it is: its owner has a defect. Nothing of it was written. */
export class WriteSetDefect extends Error {
  constructor(owner: string, detail: string, cause?: unknown) {
    super(`write set of ${owner}: ${detail}`, { cause });
    this.name = 'WriteSetDefect';
  }
}

/** What became of a set; a defect is for its owner alone. */
export type SetResult = WriteOutcome | WriteSetDefect;

/**
 * How often the rest of a batch is run again after one of its sets has taken the whole transaction with it (SQLite rolls back
 * everything on some errors, a full disk among them). After that the rest is reported as unavailable.
 */
export const REPLAYS_MAX = 3;

/** What a transaction works with: all of one connection. */
export interface WriteTools {
  readonly connection: SqliteConnection;
  readonly path: string;
  readonly statements: QueryStatements;
  readonly times: QueryTimes;
  readonly ledger: PositionLedger;
  readonly findQuery: (name: string) => Query | undefined;
}

/** Why a transaction is gone; `culprit` is the set whose statement took it along, with its own result. */
interface Loss {
  readonly failure: StorageFailure;
  readonly culprit?: { readonly index: number; readonly result: SetResult };
}

function unavailable({ fault, detail }: StorageFailure): WriteOutcome {
  return { kind: 'unavailable', fault, detail };
}

function bind(step: WriteStep, allocation: Allocation | null): SqlParams {
  if (step.positionOffset === undefined || allocation === null) return step.params;
  return { ...step.params, position: allocation.at(step.positionOffset) };
}

/** The mistakes that can be seen without running anything. */
function findObjection(tools: WriteTools, set: WriteSet): string | undefined {
  const { advance, steps } = set;
  for (const { query, positionOffset } of steps) {
    if (tools.findQuery(query) === undefined) return `unknown query ${query}`;
    if (positionOffset === undefined) continue;
    if (advance === undefined) return `${query} has a positionOffset, but the set advances no stream`;
    if (!Number.isInteger(positionOffset) || positionOffset < 0 || positionOffset >= advance.count)
      return `${query} has positionOffset ${positionOffset} of ${advance.count} positions`;
  }
  return advance === undefined ? undefined : tools.ledger.findObjection(set.owner, advance);
}

/** Runs one statement: the rows it gave (none unless it is one that gives rows) and how many it changed. */
function runStep(
  tools: WriteTools,
  step: WriteStep,
  params: SqlParams,
): { readonly rows: readonly unknown[]; readonly changes: number } {
  const query = tools.findQuery(step.query);
  if (query === undefined) throw new Error(`unknown query ${step.query}`);
  const statement = tools.statements.get(query);
  return tools.times.measure(query.name, () => {
    if (!statement.reader) return { rows: [], changes: statement.run(params).changes };
    const rows = statement.all(params);
    return { rows, changes: rows.length };
  });
}

/** Runs the steps of one set in the open transaction; whoever calls undoes it unless it comes back committed. */
function runSteps(tools: WriteTools, set: WriteSet, allocation: Allocation | null): SetResult {
  const returned: Record<number, readonly unknown[]> = {};
  for (const [index, step] of set.steps.entries()) {
    try {
      const { rows, changes } = runStep(tools, step, bind(step, allocation));
      if (step.expectChanges !== undefined && step.expectChanges !== changes)
        return { kind: 'refused', refusal: step.refusal ?? step.query, step: index };
      if (step.returns === true) returned[index] = rows;
    } catch (error) {
      const failure = findStorageFailure(error, tools.path);
      if (failure !== undefined) return unavailable(failure);
      return new WriteSetDefect(set.owner, `step ${index} (${step.query}): ${String(error)}`, error);
    }
  }
  return { kind: 'committed', position: allocation === null ? null : allocation.at(0), returned };
}

/** What to tell the neighbours of a set that took the transaction along. */
function failureOf(result: SetResult): StorageFailure {
  if (!(result instanceof WriteSetDefect) && result.kind === 'unavailable') return result;
  return { fault: 'busy', detail: 'undone together with another write' };
}

function isCommitted(result: SetResult): boolean {
  return !(result instanceof WriteSetDefect) && result.kind === 'committed';
}

/** The statements that open and end transactions and savepoints. */
function prepareControl(connection: SqliteConnection) {
  return {
    begin: connection.prepare('BEGIN IMMEDIATE'),
    commit: connection.prepare('COMMIT'),
    rollback: connection.prepare('ROLLBACK'),
    savepoint: connection.prepare('SAVEPOINT write_set'),
    release: connection.prepare('RELEASE write_set'),
    rollbackTo: connection.prepare('ROLLBACK TO write_set'),
    checkpoint: connection.prepare('PRAGMA wal_checkpoint(PASSIVE)'),
  };
}

/** Gives the function that tries one transaction over `indexes` of `sets`. On a loss nothing was written and all `results` are void. */
function createAttempt(tools: WriteTools) {
  const { connection, ledger, path } = tools;
  const control = prepareControl(connection);

  /** A set in a savepoint of its own; alone in its transaction it needs none. Gives the loss when the transaction went with it. */
  const runSet = (set: WriteSet, index: number, isAlone: boolean): SetResult | Loss => {
    if (!isAlone) control.savepoint.run();
    const allocation = set.advance === undefined ? null : ledger.allocate(set.advance);
    const result = runSteps(tools, set, allocation);
    if (isCommitted(result)) {
      if (!isAlone) control.release.run();
      return result;
    }
    allocation?.undo();
    if (!connection.inTransaction) return { failure: failureOf(result), culprit: { index, result } };
    if (!isAlone) {
      control.rollbackTo.run();
      control.release.run();
    }
    return result;
  };
  const undoAll = (): void => {
    ledger.forget();
    if (connection.inTransaction) control.rollback.run();
  };
  /** Where the log cannot grow, emptying it into the database file may make room in it: later transactions start at its beginning. */
  const relieve = ({ fault }: StorageFailure): void => {
    if (fault !== 'disk-full' && fault !== 'input-output') return;
    try {
      control.checkpoint.all();
    } catch (error) {
      if (findStorageFailure(error, path) === undefined) throw error;
    }
  };

  return (sets: readonly WriteSet[], indexes: readonly number[], results: SetResult[]): Loss | null => {
    try {
      control.begin.run();
      let written = 0;
      for (const index of indexes) {
        const result = runSet(sets[index] as WriteSet, index, indexes.length === 1);
        if ('failure' in result) {
          undoAll();
          relieve(result.failure);
          return result;
        }
        results[index] = result;
        if (isCommitted(result)) written += 1;
      }
      if (written === 0) {
        undoAll();
        return null;
      }
      ledger.save();
      control.commit.run();
      ledger.settle();
      return null;
    } catch (error) {
      undoAll();
      const failure = findStorageFailure(error, path);
      if (failure === undefined) throw error;
      relieve(failure);
      return { failure };
    }
  };
}

/**
 * Makes the function that runs write sets as one transaction with one fsync. It gives one result per set, in order; `committed` is
 * only said after the commit. Sets that fail by themselves are undone alone; when storage fails, the sets that were hit are unavailable.
 *
 * @throws when the connection cannot be brought back to a clean state: it is of no use any more
 */
export function createTransactionRunner(tools: WriteTools): (sets: readonly WriteSet[]) => SetResult[] {
  const attempt = createAttempt(tools);
  return (sets) => {
    const results: SetResult[] = [];
    let pending: number[] = [];
    for (const [index, set] of sets.entries()) {
      const objection = findObjection(tools, set);
      if (objection === undefined) pending.push(index);
      else results[index] = new WriteSetDefect(set.owner, objection);
    }
    for (let replays = 0; pending.length > 0; replays += 1) {
      const loss = attempt(sets, pending, results);
      if (loss === null) break;
      const { culprit, failure } = loss;
      if (culprit !== undefined) {
        results[culprit.index] = culprit.result;
        pending = pending.filter((index) => index !== culprit.index);
      }
      if (culprit !== undefined && replays < REPLAYS_MAX) continue;
      for (const index of pending) results[index] = unavailable(failure);
      break;
    }
    return results;
  };
}
