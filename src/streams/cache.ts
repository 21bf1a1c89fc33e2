import type { ReadDb } from '../../db/kit/read-db.ts';
import type { Fact, FactName, FactOf } from './fact.ts';

/** Which keys of a cache a fact drops. `'all'` drops everything. */
export type Drops<Key extends string> = readonly Key[] | 'all';

/**
 * A cache of what the database says, one instance per thread. It is filled on demand and dropped by facts; a fill that began
 * before an invalidation of its key is given to its asker and not stored.
 */
export interface CacheDefinition<Key extends string, Value> {
  readonly name: string;
  /** The bound: the sum of `size` over the entries. */
  readonly sizeMax: number;
  /** What one entry counts; 1 when absent. */
  readonly size?: (value: Value, key: Key) => number;
  /** Loads one entry. Uses the queries in `reads` only. */
  load(db: ReadDb, key: Key): Promise<Value>;
  /**
   * Loads several entries at once, for {@link Caches.getMany}; a key without a value here is a defect. Uses the queries in `reads` only. Absent:
   * they are loaded one by one.
   */
  loadMany?(db: ReadDb, keys: readonly Key[]): Promise<ReadonlyMap<Key, Value>>;
  /** Every query that `load` runs: a test derives from their tables which facts must stand in `dependsOn`. */
  readonly reads: readonly { readonly name: string; readonly sql: string }[];
  /** Which values are kept; all when absent. For answers such as "unknown", which no fact makes untrue later. */
  readonly keeps?: (value: Value) => boolean;
  /** The facts that make entries untrue, and which. */
  readonly dependsOn: {
    readonly [Name in FactName]?: (fact: FactOf<Name>) => Drops<Key>;
  };
}

/** Defines a cache. Keys are texts; build them with a function beside the definition. */
export function defineCache<Key extends string, Value>(
  definition: CacheDefinition<Key, Value>,
): CacheDefinition<Key, Value> {
  return definition;
}

/** The caches of one thread. */
export interface Caches {
  /** The entry, from memory or loaded. */
  get<Key extends string, Value>(cache: CacheDefinition<Key, Value>, key: Key): Promise<Value>;
  /** The entries, in the order of the keys: those that are not in memory are loaded together. */
  getMany<Key extends string, Value>(
    cache: CacheDefinition<Key, Value>,
    keys: readonly Key[],
  ): Promise<readonly Value[]>;
  /** The entry if it is in memory; counts neither hit nor miss. */
  peek<Key extends string, Value>(cache: CacheDefinition<Key, Value>, key: Key): Value | undefined;
  /**
   * Calls `listener` each time an entry may have become untrue, whether it was in memory or not, within the turn that drops it: it starts
   * what it has to do, and does not throw. For those who wait on an answer that was true.
   *
   * @returns a function that ends it
   */
  watch<Key extends string, Value>(
    cache: CacheDefinition<Key, Value>,
    key: Key,
    listener: () => void,
  ): () => void;
}

/** What takes facts: the one function by which subscribers and owners alike drop what a row made untrue. */
export interface FactSink {
  /** Drops, synchronously, every entry that one of `facts` makes untrue. Facts and caches that are not here are ignored. */
  applyFacts(facts: readonly Fact[]): void;
}

/** The caches of one thread as its views and its owners see them. */
export interface ThreadCaches extends Caches, FactSink {
  /** Drops everything: what was missed cannot be told. */
  clear(): void;
  /** Counts the invalidations that reached any entry of `cache`, or could have: it moves before the token does. */
  generation(cache: { readonly name: string }): number;
}
