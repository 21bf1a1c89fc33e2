import type { Query, SqlParams } from './query.ts';

/** One statement of a write set. */
export interface WriteStep {
  /** The query's name; the committer knows its text. */
  readonly query: string;
  readonly params: SqlParams;
  /**
   * Binds `:position` to the position at this offset of the set's allocation: 0 is the first.
   * For a `backward` allocation the positions fall: offset 0 is the highest.
   */
  readonly positionOffset?: number;
  /**
   * A guard: unless exactly this many rows changed, the whole set is undone and comes back refused with `refusal`. Of a statement that
   * gives rows (RETURNING, SELECT) its rows are counted, so that a SELECT is a guard too.
   */
  readonly expectChanges?: number;
  /** The query's name when absent. */
  readonly refusal?: string;
  /** Gives the rows of this statement (RETURNING, SELECT) back in the outcome, by step index. */
  readonly returns?: boolean;
}

/** Which stream a set advances. The committer allocates the positions inside the transaction. */
export interface StreamAdvance {
  readonly stream: string;
  /** How many positions, at least 1. */
  readonly count: number;
  /** `backward`: negative positions for history; they never move the stream's token. */
  readonly direction?: 'forward' | 'backward';
}

/**
 * A durable write as data: the steps run in order, all or none. What waits at one moment becomes one transaction (group
 * commit), each set in a savepoint of its own: a set that is refused or fails does not harm its neighbours.
 */
export interface WriteSet {
  /** The actor that writes: only the owner of a stream may advance it. */
  readonly owner: string;
  readonly advance?: StreamAdvance;
  readonly steps: readonly WriteStep[];
}

/** Why storage cannot take writes now. Reads go on. `busy`: a foreign program holds the lock, or too many writes wait already. */
export type StorageFault = 'disk-full' | 'read-only' | 'input-output' | 'busy';

/** What became of a write set. */
export type WriteOutcome =
  | {
      readonly kind: 'committed';
      /** The position at offset 0, or null when the set advances no stream. */
      readonly position: number | null;
      /** Rows of the steps with `returns`, by step index. */
      readonly returned: Readonly<Record<number, readonly unknown[]>>;
    }
  /** A guard said no; nothing of the set was written. */
  | { readonly kind: 'refused'; readonly refusal: string; readonly step: number }
  /** Storage cannot be written; nothing of the set was written. */
  | { readonly kind: 'unavailable'; readonly fault: StorageFault; readonly detail: string };

/**
 * Hands write sets to the committer.
 */
export interface WriteDb {
  /**
   * Resolves after the commit (and its fsync), or with why there was none. Sets of one owner commit in the order of the calls.
   *
   * @throws (rejection) when a statement is defective (unknown query, violated constraint): nothing of the set was written
   */
  write(set: WriteSet): Promise<WriteOutcome>;
}

/**
 * Builds one step of a write set, with the query's own parameter type. Leave `position` out of the parameters and give
 * `positionOffset` for statements that use `:position`.
 */
export function step<P extends SqlParams>(
  query: Query<P>,
  params: Omit<P, 'position'> & Partial<Pick<P, 'position' & keyof P>>,
  options: Omit<WriteStep, 'query' | 'params'> = {},
): WriteStep {
  return { query: query.name, params, ...options };
}
