import { HISTOGRAM_BUCKETS, quantileMs } from './histogram-buckets.ts';
import {
  KIND_COUNTER,
  KIND_GAUGE,
  KIND_HISTOGRAM,
  roundUpToEight,
  SLAB_END,
  SLAB_HEADER_BYTES,
  SLAB_OVERFLOW,
  SLAB_RECORD_HEADER_BYTES,
} from './metric-slab.ts';

/** What a histogram says; times in milliseconds. */
export interface HistogramSummary {
  readonly count: number;
  readonly meanMs: number;
  readonly maxMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly sumMs: number;
  /** How many there are in each bucket; the last one has no end. */
  readonly buckets: ArrayLike<number>;
}

/** All figures of one or more slabs at one moment, by name. */
export interface MetricSnapshot {
  readonly counters: ReadonlyMap<string, number>;
  readonly gauges: ReadonlyMap<string, number>;
  readonly histograms: ReadonlyMap<string, HistogramSummary>;
  readonly texts: ReadonlyMap<string, string>;
  /** Figures that found no place in their slab. */
  readonly overflow: number;
}

interface HistogramSum {
  sumMs: number;
  maxMs: number;
  readonly buckets: Float64Array;
}

interface Gathered {
  readonly counters: Map<string, number>;
  readonly gauges: Map<string, number>;
  readonly histograms: Map<string, HistogramSum>;
  readonly texts: Map<string, string>;
}

/** A text that its writer is changing right now is read again this often. */
const TEXT_READS_MAX = 8;

function readText(buffer: SharedArrayBuffer, at: number): string {
  const head = new Int32Array(buffer, at, 2);
  for (let read = 0; read < TEXT_READS_MAX; read += 1) {
    const version = Atomics.load(head, 0);
    const text = Buffer.from(buffer).toString('utf8', at + 8, at + 8 + Atomics.load(head, 1));
    if (version % 2 === 0 && version === Atomics.load(head, 0)) return text;
  }
  return '';
}

function addHistogram(
  sums: Map<string, HistogramSum>,
  name: string,
  buffer: SharedArrayBuffer,
  at: number,
): void {
  const [sumMs = 0, maxMs = 0] = new Float64Array(buffer, at, 2);
  const buckets = new Uint32Array(buffer, at + 16, HISTOGRAM_BUCKETS);
  const sum = sums.get(name) ?? { sumMs: 0, maxMs: 0, buckets: new Float64Array(HISTOGRAM_BUCKETS) };
  sum.sumMs += sumMs;
  sum.maxMs = Math.max(sum.maxMs, maxMs);
  for (let index = 0; index < HISTOGRAM_BUCKETS; index += 1)
    sum.buckets[index] = (sum.buckets[index] ?? 0) + (buckets[index] ?? 0);
  sums.set(name, sum);
}

function gather(buffer: SharedArrayBuffer, into: Gathered): void {
  const ints = new Int32Array(buffer);
  const floats = new Float64Array(buffer);
  const bytes = Buffer.from(buffer);
  const end = Atomics.load(ints, SLAB_END);
  for (let at = SLAB_HEADER_BYTES; at < end; at += ints[at / 4 + 1] ?? end) {
    const kind = ints[at / 4];
    const nameBytes = ints[at / 4 + 2] ?? 0;
    const nameAt = at + SLAB_RECORD_HEADER_BYTES;
    const name = bytes.toString('utf8', nameAt, nameAt + nameBytes);
    const valueAt = nameAt + roundUpToEight(nameBytes);
    const value = floats[valueAt / 8] ?? 0;
    if (kind === KIND_COUNTER) into.counters.set(name, (into.counters.get(name) ?? 0) + value);
    else if (kind === KIND_GAUGE) into.gauges.set(name, (into.gauges.get(name) ?? 0) + value);
    else if (kind === KIND_HISTOGRAM) addHistogram(into.histograms, name, buffer, valueAt);
    else {
      const text = readText(buffer, valueAt);
      if (text !== '' || !into.texts.has(name)) into.texts.set(name, text);
    }
  }
}

function summarise(sum: HistogramSum): HistogramSummary {
  const count = sum.buckets.reduce((total, bucket) => total + bucket, 0);
  return {
    count,
    meanMs: count === 0 ? 0 : sum.sumMs / count,
    maxMs: sum.maxMs,
    p50Ms: quantileMs(sum.buckets, 0.5),
    p99Ms: quantileMs(sum.buckets, 0.99),
    sumMs: sum.sumMs,
    buckets: sum.buckets,
  };
}

/**
 * Reads slabs, without their threads' doing. With several, figures of one name become one: counters, gauges and histograms add up,
 * of texts the last that is not empty stays.
 */
export function readMetricSlabs(buffers: readonly SharedArrayBuffer[]): MetricSnapshot {
  const gathered: Gathered = {
    counters: new Map(),
    gauges: new Map(),
    histograms: new Map(),
    texts: new Map(),
  };
  let overflow = 0;
  for (const buffer of buffers) {
    gather(buffer, gathered);
    overflow += Atomics.load(new Int32Array(buffer), SLAB_OVERFLOW);
  }
  const histograms = new Map([...gathered.histograms].map(([name, sum]) => [name, summarise(sum)]));
  return { ...gathered, histograms, overflow };
}
