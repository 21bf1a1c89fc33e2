import type { Clock } from '../../src/kit/clock.ts';
import type { Counter, Metrics } from '../../src/kit/metrics.ts';
import type { Query } from './query.ts';
import type { SqliteConnection, SqliteStatement } from './sqlite.ts';

const MICROSECONDS_PER_MILLISECOND = 1_000;

/** Counts how often each query ran and how long, under the query's name. */
export interface QueryTimes {
  /**
   * Runs `work` and counts it.
   *
   * @param name the query's
   */
  measure<T>(name: string, work: () => T): T;
}

/**
 * The figures of all queries of one thread: `query.<name>.count` and `query.<name>.us` (microseconds in total), made when the query
 * first runs.
 */
export function createQueryTimes(metrics: Metrics, clock: Clock): QueryTimes {
  const figures = new Map<string, { readonly count: Counter; readonly time: Counter }>();
  const getFigures = (name: string) => {
    const known = figures.get(name);
    if (known !== undefined) return known;
    const made = { count: metrics.counter(`query.${name}.count`), time: metrics.counter(`query.${name}.us`) };
    figures.set(name, made);
    return made;
  };
  return {
    measure(name, work) {
      const { count, time } = getFigures(name);
      const startedMs = clock.monotonic();
      try {
        return work();
      } finally {
        count.add();
        time.add(Math.round((clock.monotonic() - startedMs) * MICROSECONDS_PER_MILLISECOND));
      }
    },
  };
}

/** Statements of one connection: more than the program has queries. Who exceeds it builds SQL at run time. */
export const STATEMENTS_MAX = 2_000;

/** The prepared statements of one connection, each prepared when it is first used. */
export interface QueryStatements {
  /** @throws SqliteError when the SQL is wrong, and when there are more than {@link STATEMENTS_MAX} */
  get(query: Query): SqliteStatement;
}

/**
 * Keeps SQLite from preparing a statement anew whenever a parameter is bound. With STAT4 compiled in, it does that for every parameter whose value the planner
 * might have looked at: that is for most joins, at twenty to two hundred microseconds each time. It looks at bare parameters only; a
 * sign before one changes nothing else.
 */
function withSignedParameters(sql: string): string {
  return sql.replaceAll(/'[^']*'|(?<![:\w]):(?=\w)/g, (found) => (found === ':' ? '+:' : found));
}

/** Prepares lazily, and keeps each statement as long as the connection lives. */
export function createQueryStatements(connection: SqliteConnection): QueryStatements {
  const prepared = new Map<Query, SqliteStatement>();
  return {
    get(query) {
      const known = prepared.get(query);
      if (known !== undefined) return known;
      if (prepared.size >= STATEMENTS_MAX)
        throw new Error(`${query.name}: ${STATEMENTS_MAX} statements are prepared; queries are constants`);
      const statement = connection.prepare(withSignedParameters(query.sql));
      prepared.set(query, statement);
      return statement;
    },
  };
}
