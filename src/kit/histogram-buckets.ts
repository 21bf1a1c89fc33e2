/** Values are cut at 100 s; below 1 µs they count as 0. */
const MICROSECONDS_MAX = 100_000_000;
/** Buckets per doubling: a value is off by at most one sixteenth. */
const BUCKETS_PER_DOUBLING = 8;
const DOUBLING_FIRST = 3;

/** Log-linear buckets: single microseconds below 8 µs, then eight to each doubling, up to 100 s. */
export const HISTOGRAM_BUCKETS = 200;

/**
 * The bucket of a length of time.
 *
 * @param valueMs in milliseconds
 */
export function bucketOf(valueMs: number): number {
  const micros = Math.min(MICROSECONDS_MAX, Math.max(0, valueMs * 1000)) | 0;
  if (micros < BUCKETS_PER_DOUBLING) return micros;
  const doubling = 31 - Math.clz32(micros);
  return (doubling - 2) * BUCKETS_PER_DOUBLING + ((micros >>> (doubling - DOUBLING_FIRST)) & 7);
}

/** Where a bucket ends, in microseconds; what lies in it is below that. */
export function bucketEndMicros(bucket: number): number {
  if (bucket < BUCKETS_PER_DOUBLING) return bucket + 1;
  return (BUCKETS_PER_DOUBLING + (bucket & 7) + 1) * 2 ** ((bucket >>> 3) + 2 - DOUBLING_FIRST);
}

/** The middle of a bucket, in milliseconds. */
export function bucketMiddleMs(bucket: number): number {
  if (bucket < BUCKETS_PER_DOUBLING) return (bucket + 0.5) / 1000;
  const width = 2 ** ((bucket >>> 3) + 2 - DOUBLING_FIRST);
  return ((BUCKETS_PER_DOUBLING + (bucket & 7) + 0.5) * width) / 1000;
}

/**
 * The value below which the share `quantile` of all values lies, in milliseconds; 0 when there are none.
 *
 * @param quantile between 0 and 1
 */
export function quantileMs(buckets: ArrayLike<number>, quantile: number): number {
  let total = 0;
  for (let index = 0; index < buckets.length; index += 1) total += buckets[index] ?? 0;
  if (total === 0) return 0;
  const rank = Math.max(1, Math.ceil(total * quantile));
  let seen = 0;
  for (let index = 0; index < buckets.length; index += 1) {
    seen += buckets[index] ?? 0;
    if (seen >= rank) return bucketMiddleMs(index);
  }
  return bucketMiddleMs(HISTOGRAM_BUCKETS - 1);
}
