import { type MetricSnapshot, readMetricSlabs } from '../../../src/kit/metric-reader.ts';
import { createMetricBuffer, createSlabMetrics } from '../../../src/kit/metric-slab.ts';
import type { Metrics } from '../../../src/kit/metrics.ts';

/** Real figures of one thread, and what the inspector would read of them. */
export interface Figures {
  readonly metrics: Metrics;
  read(): MetricSnapshot;
  counter(name: string): number;
  gauge(name: string): number;
}

const BUFFER_BYTES = 256 * 1024;

export function createFigures(): Figures {
  const buffer = createMetricBuffer(BUFFER_BYTES);
  const read = (): MetricSnapshot => readMetricSlabs([buffer]);
  return {
    metrics: createSlabMetrics(buffer),
    read,
    counter: (name) => read().counters.get(name) ?? 0,
    gauge: (name) => read().gauges.get(name) ?? 0,
  };
}
