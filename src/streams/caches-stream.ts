import type { Fact } from './fact.ts';
import { defineDurableStream } from './stream.ts';

/** One poke: facts that no other stream's rows imply, coalesced. */
export type CachesRow = { readonly facts: readonly Fact[] };

/**
 * Pokes; owned by `caches`. Its position is durable, its rows are not kept: who missed one clears its caches, which is always
 * right and needs no table that grows.
 */
export const cachesStream = defineDurableStream<'caches', CachesRow>({
  name: 'caches',
  letter: null,
  owner: 'caches',
  tables: [],
  read: () => Promise.resolve('gone' as const),
  wakes: () => [],
  invalidates: (row) => row.facts,
});
