import type { Query, SqlParams } from './query.ts';

/**
 * Reads of one thread. Asynchronous so that another engine can stand behind it; with SQLite a call resolves in the same microtask turn.
 * Two calls with an `await` between them may see two worlds: where that matters, use {@link ReadDb.snapshot}.
 */
export interface ReadDb {
  /** All rows, in the query's order. */
  all<P extends SqlParams, R>(query: Query<P, R>, params: P): Promise<R[]>;
  /** The first row, or undefined. */
  find<P extends SqlParams, R>(query: Query<P, R>, params: P): Promise<R | undefined>;
  /** The first row; its absence is a defect and throws. */
  get<P extends SqlParams, R>(query: Query<P, R>, params: P): Promise<R>;
  /** Runs `work` in one read transaction: all its reads see one world. Snapshots are few per thread: keep it short. */
  snapshot<T>(work: (db: ReadDb) => Promise<T>): Promise<T>;
}
