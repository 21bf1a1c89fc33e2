import type { Clock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import { createQueryStatements, type QueryStatements } from './query-statements.ts';
import { openReadConnection, type SqliteConnection, type SqliteStatement } from './sqlite.ts';

/** Snapshots that may wait for a free connection; the next one is rejected. */
export const SNAPSHOT_WAITERS_MAX = 1_000;

/** A snapshot that is open for longer is logged: it keeps the write-ahead log from being reused. */
export const SNAPSHOT_LONG_MS = 10_000;

/** A connection that stands in a read transaction. */
export interface OpenSnapshot {
  readonly statements: QueryStatements;
  /** Ends the transaction and gives the connection to the next one; call it exactly once. */
  release(): void;
}

/** A few connections, each opened when it is first needed and kept. */
export interface SnapshotPool {
  /**
   * Pins the world as it is when a connection is free.
   *
   * @throws (rejection) when too many wait already, or the pool is closed
   */
  open(): Promise<OpenSnapshot>;
  close(): void;
}

interface Slot {
  readonly connection: SqliteConnection;
  readonly statements: QueryStatements;
  readonly begin: SqliteStatement;
  /** SQLite pins the snapshot at the first read, not at BEGIN. */
  readonly pin: SqliteStatement;
  readonly end: SqliteStatement;
}

interface Waiter {
  readonly give: (slot: Slot) => void;
  readonly reject: (error: Error) => void;
}

function openSlot(path: string): Slot {
  const connection = openReadConnection(path);
  return {
    connection,
    statements: createQueryStatements(connection),
    begin: connection.prepare('BEGIN DEFERRED'),
    pin: connection.prepare('SELECT 1 FROM sqlite_schema LIMIT 1'),
    end: connection.prepare('ROLLBACK'),
  };
}

/**
 * @param options `connectionsMax` is the number of snapshots that may be open at once
 */
export function createSnapshotPool(
  path: string,
  options: { readonly connectionsMax: number; readonly clock: Clock; readonly log: Logger },
): SnapshotPool {
  const { connectionsMax, clock, log } = options;
  const slots: Slot[] = [];
  const idle: Slot[] = [];
  const waiters: Waiter[] = [];
  let isClosed = false;

  const take = (): Promise<Slot> => {
    if (isClosed) return Promise.reject(new Error('the store is closed'));
    const free = idle.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (slots.length < connectionsMax) {
      const slot = openSlot(path);
      slots.push(slot);
      return Promise.resolve(slot);
    }
    if (waiters.length >= SNAPSHOT_WAITERS_MAX)
      return Promise.reject(new Error(`${waiters.length} snapshots are waiting`));
    return new Promise((give, reject) => {
      waiters.push({ give, reject });
    });
  };
  const giveBack = (slot: Slot): void => {
    if (isClosed) return;
    const next = waiters.shift();
    if (next === undefined) idle.push(slot);
    else next.give(slot);
  };

  return {
    async open() {
      const slot = await take();
      if (isClosed) throw new Error('the store is closed');
      try {
        slot.begin.run();
        slot.pin.get();
      } catch (error) {
        if (slot.connection.inTransaction) slot.end.run();
        giveBack(slot);
        throw error;
      }
      const timer = clock.after(SNAPSHOT_LONG_MS, () => {
        log.warn('a snapshot is open for long', { openMs: SNAPSHOT_LONG_MS });
      });
      return {
        statements: slot.statements,
        release() {
          clock.cancel(timer);
          if (!isClosed) slot.end.run();
          giveBack(slot);
        },
      };
    },
    close() {
      isClosed = true;
      for (const { reject } of waiters.splice(0)) reject(new Error('the store is closed'));
      for (const { connection } of slots) connection.close();
    },
  };
}
