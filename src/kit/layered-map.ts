/**
 * A map with a few changes laid over another, which it shares and never copies. Neither may change afterwards.
 *
 * @param changes null: the key of `base` is gone
 */
export function layOver<K, V>(base: ReadonlyMap<K, V>, changes: ReadonlyMap<K, V | null>): ReadonlyMap<K, V> {
  if (changes.size === 0) return base;
  let { size } = base;
  for (const [key, value] of changes) size += (value === null ? 0 : 1) - (base.has(key) ? 1 : 0);
  const changeOf = (key: K): V | null | undefined => changes.get(key);

  function* entries(): MapIterator<[K, V]> {
    // Keys of the base keep their places, as in a Map that was written to; new ones follow.
    for (const [key, value] of base) {
      const change = changeOf(key);
      if (change === undefined) yield [key, value];
      else if (change !== null) yield [key, change];
    }
    for (const [key, value] of changes) if (value !== null && !base.has(key)) yield [key, value];
  }
  function* keys(): MapIterator<K> {
    for (const [key] of entries()) yield key;
  }
  function* values(): MapIterator<V> {
    for (const [, value] of entries()) yield value;
  }

  const layered: ReadonlyMap<K, V> = {
    size,
    get(key) {
      const change = changeOf(key);
      return change === undefined ? base.get(key) : (change ?? undefined);
    },
    has(key) {
      const change = changeOf(key);
      return change === undefined ? base.has(key) : change !== null;
    },
    forEach(callback, thisArg) {
      for (const [key, value] of entries()) callback.call(thisArg, value, key, layered);
    },
    entries,
    keys,
    values,
    [Symbol.iterator]: entries,
  };
  return layered;
}
