/** A value that SQLite stores. Integers are JavaScript numbers within ±(2^53−1). */
export type SqlValue = null | number | string | Uint8Array;

/** Named parameters: `:name` in the SQL is `name` here. */
export type SqlParams = Readonly<Record<string, SqlValue>>;

/**
 * A named statement, in plain sight, prepared once per connection. Its name is also its metric.
 * `P` are its parameters and `R` is one row; both exist for the type checker only.
 */
export interface Query<P extends SqlParams = SqlParams, R = unknown> {
  /** `<owner>.<verb-noun>`, unique in the program. */
  readonly name: string;
  readonly sql: string;
  /** Tables that stay so small that a scan of them is right; the plan check refuses any other scan. */
  readonly scans: readonly string[];
  /** Never set: they carry the types. */
  readonly paramsType?: P;
  readonly rowType?: R;
}

/**
 * Defines a query. The SQL uses `:name` parameters only.
 *
 * @param definition `scans` names tables that are declared small (the plan check fails on a scan of any other table)
 */
export function defineQuery<P extends SqlParams, R = never>(definition: {
  readonly name: string;
  readonly sql: string;
  readonly scans?: readonly string[];
}): Query<P, R> {
  return { name: definition.name, sql: definition.sql, scans: definition.scans ?? [] };
}
