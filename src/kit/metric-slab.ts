import { bucketOf, HISTOGRAM_BUCKETS } from './histogram-buckets.ts';
import type { Counter, Gauge, Histogram, Metrics, TextGauge } from './metrics.ts';
import { METRIC_TEXT_BYTES_MAX } from './metrics.ts';

/**
 * The layout of a slab. A header of 64 bytes: `end` (int32, bytes written), `figures` (int32), `overflow` (int32). Then records, one
 * after the other: kind, record bytes, name bytes, unused (int32 each), the name in UTF-8 padded to 8 bytes, the value. A record is
 * complete before `end` moves past it, so a reader never sees half of one, whatever happens to the writer.
 */
export const SLAB_HEADER_BYTES = 64;
export const SLAB_RECORD_HEADER_BYTES = 16;
export const SLAB_END = 0;
export const SLAB_FIGURES = 1;
export const SLAB_OVERFLOW = 2;

export const KIND_COUNTER = 1;
export const KIND_GAUGE = 2;
export const KIND_HISTOGRAM = 3;
export const KIND_TEXT = 4;

/** A slab of one thread. Pages that are never written cost no memory. */
export const METRIC_SLAB_BYTES = 4 * 1024 * 1024;
/** Figures of one thread; what is asked for beyond them works, but only its owner sees it, and `overflow` counts it. */
export const METRIC_FIGURES_MAX = 4096;
/** A figure with a longer name finds no place. */
export const METRIC_NAME_BYTES_MAX = 200;

/** A histogram: sum and longest in milliseconds (float64), then one uint32 per bucket. */
const HISTOGRAM_BYTES = 16 + HISTOGRAM_BUCKETS * 4;
/** A text: version (int32, odd while it is being written), length in bytes (int32), the bytes. */
const TEXT_BYTES = 8 + METRIC_TEXT_BYTES_MAX;

/** Bytes of a value by its kind. */
const VALUE_BYTES: Readonly<Record<number, number>> = {
  [KIND_COUNTER]: 8,
  [KIND_GAUGE]: 8,
  [KIND_HISTOGRAM]: HISTOGRAM_BYTES,
  [KIND_TEXT]: TEXT_BYTES,
};

export function roundUpToEight(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** A new slab, empty. */
export function createMetricBuffer(bytes: number = METRIC_SLAB_BYTES): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(bytes);
  new Int32Array(buffer, 0, 4)[SLAB_END] = SLAB_HEADER_BYTES;
  return buffer;
}

interface Directory {
  /** Where the value of a figure stands in the slab, in bytes; undefined when the slab is full. */
  place(kind: number, name: string): number | undefined;
}

function readDirectory(buffer: SharedArrayBuffer, bytes: Buffer): Map<string, number> {
  const ints = new Int32Array(buffer);
  const places = new Map<string, number>();
  const end = Atomics.load(ints, SLAB_END);
  for (let at = SLAB_HEADER_BYTES; at < end; at += ints[at / 4 + 1] ?? end) {
    const nameBytes = ints[at / 4 + 2] ?? 0;
    const nameAt = at + SLAB_RECORD_HEADER_BYTES;
    const name = bytes.toString('utf8', nameAt, nameAt + nameBytes);
    places.set(`${ints[at / 4]}:${name}`, nameAt + roundUpToEight(nameBytes));
  }
  return places;
}

function openDirectory(buffer: SharedArrayBuffer): Directory {
  const bytes = Buffer.from(buffer);
  const ints = new Int32Array(buffer);
  // The next life of a thread goes on counting where the last one ended.
  const places = readDirectory(buffer, bytes);
  return {
    place(kind, name) {
      const known = places.get(`${kind}:${name}`);
      if (known !== undefined) return known;
      const nameBytes = Buffer.byteLength(name);
      const at = Atomics.load(ints, SLAB_END);
      const valueAt = at + SLAB_RECORD_HEADER_BYTES + roundUpToEight(nameBytes);
      const recordBytes = roundUpToEight(valueAt - at + (VALUE_BYTES[kind] ?? 0));
      const full =
        at + recordBytes > buffer.byteLength || Atomics.load(ints, SLAB_FIGURES) >= METRIC_FIGURES_MAX;
      if (full || nameBytes > METRIC_NAME_BYTES_MAX) {
        Atomics.add(ints, SLAB_OVERFLOW, 1);
        return undefined;
      }
      ints[at / 4] = kind;
      ints[at / 4 + 1] = recordBytes;
      ints[at / 4 + 2] = bytes.write(name, at + SLAB_RECORD_HEADER_BYTES, nameBytes, 'utf8');
      Atomics.add(ints, SLAB_FIGURES, 1);
      Atomics.store(ints, SLAB_END, at + recordBytes);
      places.set(`${kind}:${name}`, valueAt);
      return valueAt;
    },
  };
}

function openCounter(buffer: SharedArrayBuffer, at: number): Counter {
  const value = new Float64Array(buffer, at, 1);
  return {
    add(amount = 1) {
      value[0] = (value[0] ?? 0) + amount;
    },
  };
}

function openGauge(buffer: SharedArrayBuffer, at: number): Gauge {
  const place = new Float64Array(buffer, at, 1);
  return {
    set(value) {
      place[0] = value;
    },
    read: () => place[0] ?? 0,
  };
}

function openHistogram(buffer: SharedArrayBuffer, at: number): Histogram {
  const sums = new Float64Array(buffer, at, 2);
  const buckets = new Uint32Array(buffer, at + 16, HISTOGRAM_BUCKETS);
  return {
    record(valueMs) {
      const bucket = bucketOf(valueMs);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      sums[0] = (sums[0] ?? 0) + valueMs;
      if (valueMs > (sums[1] ?? 0)) sums[1] = valueMs;
    },
  };
}

function openText(buffer: SharedArrayBuffer, at: number): TextGauge {
  const head = new Int32Array(buffer, at, 2);
  const bytes = Buffer.from(buffer, at + 8, METRIC_TEXT_BYTES_MAX);
  return {
    set(text) {
      Atomics.add(head, 0, 1);
      Atomics.store(head, 1, bytes.write(text, 0, METRIC_TEXT_BYTES_MAX, 'utf8'));
      Atomics.add(head, 0, 1);
    },
  };
}

/**
 * The figures of one thread over its slab. Only one thread at a time may write to a slab; any thread may read it
 * (`readMetricSlabs`), also while the writer is blocked.
 *
 * @param buffer from {@link createMetricBuffer}; figures that stand in it already go on
 */
export function createSlabMetrics(buffer: SharedArrayBuffer): Metrics {
  const directory = openDirectory(buffer);
  const open = <Figure>(
    opened: Map<string, Figure>,
    kind: number,
    make: (buffer: SharedArrayBuffer, at: number) => Figure,
  ): ((name: string) => Figure) => {
    return (name) => {
      const known = opened.get(name);
      if (known !== undefined) return known;
      const at = directory.place(kind, name);
      const figure =
        at === undefined ? make(new SharedArrayBuffer(VALUE_BYTES[kind] ?? 0), 0) : make(buffer, at);
      // A figure without a place is not kept, so that endless names cannot fill the memory.
      if (at !== undefined) opened.set(name, figure);
      return figure;
    };
  };
  return {
    counter: open(new Map<string, Counter>(), KIND_COUNTER, openCounter),
    gauge: open(new Map<string, Gauge>(), KIND_GAUGE, openGauge),
    histogram: open(new Map<string, Histogram>(), KIND_HISTOGRAM, openHistogram),
    text: open(new Map<string, TextGauge>(), KIND_TEXT, openText),
  };
}
