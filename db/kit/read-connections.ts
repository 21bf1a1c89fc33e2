import type { Clock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import type { Query, SqlParams } from './query.ts';
import {
  createQueryStatements,
  createQueryTimes,
  type QueryStatements,
  type QueryTimes,
} from './query-statements.ts';
import type { ReadDb } from './read-db.ts';
import { createSnapshotPool } from './snapshot-pool.ts';
import { openReadConnection } from './sqlite.ts';

/** Snapshots of one thread that may be open at once: each is a connection of its own. */
export const SNAPSHOTS_MAX = 4;

export interface ReadDbOptions {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default {@link SNAPSHOTS_MAX}. */
  readonly snapshotsMax?: number;
}

/** The reads of one thread. */
export interface ClosableReadDb extends ReadDb {
  /** Ends the connections, those of open snapshots too: reads after that are rejected. */
  close(): void;
}

/** The reads of one connection. Async functions, so that what SQLite throws becomes a rejection. */
function createReads(getStatements: () => QueryStatements, times: QueryTimes) {
  const find = <P extends SqlParams, R>(query: Query<P, R>, params: P): R | undefined =>
    times.measure(query.name, () => getStatements().get(query).get(params)) as R | undefined;
  return {
    async all<P extends SqlParams, R>(query: Query<P, R>, params: P): Promise<R[]> {
      return times.measure(query.name, () => getStatements().get(query).all(params)) as R[];
    },
    async find<P extends SqlParams, R>(query: Query<P, R>, params: P): Promise<R | undefined> {
      return find(query, params);
    },
    async get<P extends SqlParams, R>(query: Query<P, R>, params: P): Promise<R> {
      const row = find(query, params);
      if (row === undefined) throw new Error(`${query.name} found no row`);
      return row;
    },
  };
}

/**
 * Opens the read-only connections of one thread: one for single reads, and a few that are opened when snapshots need them.
 *
 * @throws SqliteError when the database does not exist yet: migrate it first
 */
export function openReadDb(path: string, options: ReadDbOptions): ClosableReadDb {
  const connection = openReadConnection(path);
  const statements = createQueryStatements(connection);
  const times = createQueryTimes(options.metrics, options.clock);
  const pool = createSnapshotPool(path, {
    connectionsMax: options.snapshotsMax ?? SNAPSHOTS_MAX,
    clock: options.clock,
    log: options.log,
  });

  return {
    ...createReads(() => statements, times),
    async snapshot(work) {
      const open = await pool.open();
      let isOver = false;
      const inside: ReadDb = {
        ...createReads(() => {
          if (isOver) throw new Error('this snapshot is over: a read was not awaited inside it');
          return open.statements;
        }, times),
        snapshot: (nested) => nested(inside),
      };
      try {
        return await work(inside);
      } finally {
        isOver = true;
        open.release();
      }
    },
    close() {
      pool.close();
      connection.close();
    },
  };
}
