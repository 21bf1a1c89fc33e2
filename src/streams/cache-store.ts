import { LRUCache } from 'lru-cache';
import type { ReadDb } from '../../db/kit/read-db.ts';
import type { Counter, Gauge, Metrics } from '../kit/metrics.ts';
import type { CacheDefinition, Drops, ThreadCaches } from './cache.ts';
import type { Fact, FactName } from './fact.ts';

/*
 * Figures of each cache: cache.<name>.hits, .misses, .size (the sum that `sizeMax` bounds), .invalidations (entries and fills in
 * flight that a fact has dropped), .not-stored (fills that were given to their askers only, because a fact came meanwhile).
 */

interface Figures {
  readonly hits: Counter;
  readonly misses: Counter;
  readonly size: Gauge;
  readonly invalidations: Counter;
  readonly notStored: Counter;
}

/** A load that is under way. */
interface Fill {
  readonly value: Promise<unknown>;
}

interface Instance {
  readonly definition: CacheDefinition<string, unknown>;
  readonly entries: LRUCache<string, { readonly value: unknown }>;
  /** Loads that may be stored and shared: an invalidation of the key takes them out. */
  readonly fills: Map<string, Fill>;
  readonly figures: Figures;
  readonly watchers: Map<string, Set<() => void>>;
  generation: number;
}

function figuresOf(metrics: Metrics, cache: string): Figures {
  return {
    hits: metrics.counter(`cache.${cache}.hits`),
    misses: metrics.counter(`cache.${cache}.misses`),
    size: metrics.gauge(`cache.${cache}.size`),
    invalidations: metrics.counter(`cache.${cache}.invalidations`),
    notStored: metrics.counter(`cache.${cache}.not-stored`),
  };
}

function createInstance(metrics: Metrics, definition: CacheDefinition<string, unknown>): Instance {
  const { size } = definition;
  return {
    definition,
    entries: new LRUCache({
      maxSize: definition.sizeMax,
      sizeCalculation: ({ value }, key) => Math.max(1, Math.ceil(size?.(value, key) ?? 1)),
    }),
    fills: new Map(),
    figures: figuresOf(metrics, definition.name),
    watchers: new Map(),
    generation: 0,
  };
}

/** Starts a load. It is stored only if no invalidation has taken it out of `fills` when it ends. */
function fill(instance: Instance, key: string, loading: (key: string) => Promise<unknown>): Promise<unknown> {
  const { definition, entries, fills, figures } = instance;
  const load = async (): Promise<unknown> => {
    try {
      const value = await loading(key);
      if (fills.get(key) !== started) figures.notStored.add();
      else if (definition.keeps?.(value) ?? true) entries.set(key, { value });
      return value;
    } finally {
      if (fills.get(key) === started) fills.delete(key);
      figures.size.set(entries.calculatedSize);
    }
  };
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const started: Fill = { value: promise };
  fills.set(key, started);
  resolve(load());
  return promise;
}

/** Loads the keys together, where the cache can. */
function loadTogether(
  { definition }: Instance,
  db: ReadDb,
  keys: readonly string[],
): (key: string) => Promise<unknown> {
  if (definition.loadMany === undefined || keys.length < 2) return (key) => definition.load(db, key);
  const loaded = definition.loadMany(db, keys);
  return async (key) => {
    const values = await loaded;
    if (!values.has(key)) throw new Error(`${definition.name} has not loaded ${key}`);
    return values.get(key);
  };
}

function notify(listeners: Iterable<() => void>): void {
  for (const listener of listeners) listener();
}

function dropKeys({ entries, fills, figures, watchers }: Instance, keys: readonly string[]): void {
  for (const key of keys) {
    const wasStored = entries.delete(key);
    const wasFilling = fills.delete(key);
    if (wasStored || wasFilling) figures.invalidations.add();
    notify(watchers.get(key) ?? []);
  }
}

function dropAll({ entries, fills, figures, watchers }: Instance): void {
  figures.invalidations.add(entries.size + fills.size);
  entries.clear();
  fills.clear();
  for (const listeners of watchers.values()) notify(listeners);
}

/** @returns what ends it */
function addWatcher({ watchers }: Instance, key: string, listener: () => void): () => void {
  const listeners = watchers.get(key) ?? new Set();
  watchers.set(key, listeners.add(listener));
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && watchers.get(key) === listeners) watchers.delete(key);
  };
}

/** The facts that a fact stands for: a poke of a room stands for the memberships that it names too. */
function expand(fact: Fact): readonly Fact[] {
  if (fact.fact !== 'room-changed') return [fact];
  const { roomId, members } = fact;
  return [fact, ...members.map((userId) => ({ fact: 'membership' as const, roomId, userId }))];
}

function dropsOf({ dependsOn }: Instance['definition'], fact: Fact): Drops<string> {
  // The name picks the function of that very fact.
  const find = dependsOn[fact.fact] as ((fact: Fact) => Drops<string>) | undefined;
  return find?.(fact) ?? [];
}

function readOne(instance: Instance, db: ReadDb, key: string): Promise<unknown> {
  const { entries, fills, figures } = instance;
  const stored = entries.get(key);
  if (stored !== undefined) {
    figures.hits.add();
    return Promise.resolve(stored.value);
  }
  figures.misses.add();
  const load = (missed: string): Promise<unknown> => instance.definition.load(db, missed);
  return fills.get(key)?.value ?? fill(instance, key, load);
}

function readMany(instance: Instance, db: ReadDb, keys: readonly string[]): Promise<readonly unknown[]> {
  const { entries, fills, figures } = instance;
  const missing = [...new Set(keys)].filter((key) => !entries.has(key) && !fills.has(key));
  const loading = loadTogether(instance, db, missing);
  const values = keys.map((key) => {
    const stored = entries.get(key);
    if (stored !== undefined) {
      figures.hits.add();
      return stored.value;
    }
    figures.misses.add();
    return fills.get(key)?.value ?? fill(instance, key, loading);
  });
  return Promise.all(values);
}

/**
 * Makes the caches of one thread. A cache begins to exist when it is first asked: a thread that never asks for it pays nothing, and
 * facts about it are ignored.
 */
export function createThreadCaches(options: {
  readonly db: ReadDb;
  readonly metrics: Metrics;
}): ThreadCaches {
  const { db, metrics } = options;
  const instances = new Map<string, Instance>();
  const byFact = new Map<FactName, Instance[]>();

  const open = (definition: CacheDefinition<string, unknown>): Instance => {
    const existing = instances.get(definition.name);
    if (existing !== undefined) {
      if (existing.definition !== definition) throw new Error(`two caches are called ${definition.name}`);
      return existing;
    }
    const instance = createInstance(metrics, definition);
    instances.set(definition.name, instance);
    for (const fact of Object.keys(definition.dependsOn) as FactName[])
      byFact.set(fact, [...(byFact.get(fact) ?? []), instance]);
    return instance;
  };
  const clear = (): void => {
    for (const instance of instances.values()) {
      instance.generation += 1;
      dropAll(instance);
      instance.figures.size.set(0);
    }
  };
  const applyFact = (fact: Fact): void => {
    if (fact.fact === 'everything') clear();
    for (const instance of byFact.get(fact.fact) ?? []) {
      const drops = dropsOf(instance.definition, fact);
      if (drops.length === 0) continue;
      instance.generation += 1;
      if (drops === 'all') dropAll(instance);
      else dropKeys(instance, drops);
      instance.figures.size.set(instance.entries.calculatedSize);
    }
  };

  return {
    get<Key extends string, Value>(cache: CacheDefinition<Key, Value>, key: Key): Promise<Value> {
      // Keys and values of one name have the types of its one definition.
      return readOne(open(cache as unknown as CacheDefinition<string, unknown>), db, key) as Promise<Value>;
    },
    getMany<Key extends string, Value>(
      cache: CacheDefinition<Key, Value>,
      keys: readonly Key[],
    ): Promise<readonly Value[]> {
      const instance = open(cache as unknown as CacheDefinition<string, unknown>);
      return readMany(instance, db, keys) as Promise<readonly Value[]>;
    },
    peek<Key extends string, Value>(cache: CacheDefinition<Key, Value>, key: Key): Value | undefined {
      return instances.get(cache.name)?.entries.peek(key)?.value as Value | undefined;
    },
    watch<Key extends string, Value>(
      cache: CacheDefinition<Key, Value>,
      key: Key,
      listener: () => void,
    ): () => void {
      return addWatcher(open(cache as unknown as CacheDefinition<string, unknown>), key, listener);
    },
    applyFacts(facts) {
      for (const fact of facts) for (const each of expand(fact)) applyFact(each);
    },
    clear,
    generation: ({ name }) => instances.get(name)?.generation ?? 0,
  };
}
