import { bucketEndMicros } from '../../kit/histogram-buckets.ts';
import type { HistogramSummary } from '../../kit/metric-reader.ts';

/** Names and values that tell samples of one family apart: never ids of rooms or users, of which there is no end. */
export type Labels = Readonly<Record<string, string>>;

/** One value; of a histogram its distribution. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number | HistogramSummary;
}

/** One metric as Prometheus knows it. */
export interface MetricFamily {
  /** Without `_total`, which counters get where it is due. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** `text`: Prometheus 0.0.4; `openmetrics`: OpenMetrics 1.0.0. */
export type ExpositionFormat = 'text' | 'openmetrics';

/**
 * Where the buckets of lengths of time end, in microseconds: powers of two, since the figures are kept in eighths of doublings, so that each
 * count is exact.
 */
const BOUNDS_MICROS: readonly number[] = [9, 10, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 25].map(
  (power) => 2 ** power,
);
const MICROSECONDS_PER_SECOND = 1e6;
const MS_PER_SECOND = 1e3;

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function labelText(labels: Labels): string {
  const entries = Object.entries(labels);
  return entries.length === 0
    ? ''
    : `{${entries.map(([name, value]) => `${name}="${escape(value)}"`).join()}}`;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN';
}

function histogramLines(name: string, labels: Labels, histogram: HistogramSummary): string[] {
  const { buckets, sumMs, count } = histogram;
  const lines: string[] = [];
  let [below, bucket] = [0, 0];
  for (const bound of BOUNDS_MICROS) {
    for (; bucket < buckets.length && bucketEndMicros(bucket) <= bound; bucket += 1)
      below += buckets[bucket] ?? 0;
    lines.push(
      `${name}_bucket${labelText({ ...labels, le: String(bound / MICROSECONDS_PER_SECOND) })} ${below}`,
    );
  }
  lines.push(`${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${count}`);
  lines.push(`${name}_sum${labelText(labels)} ${numberText(sumMs / MS_PER_SECOND)}`);
  lines.push(`${name}_count${labelText(labels)} ${count}`);
  return lines;
}

function familyLines({ name, type, help, samples }: MetricFamily, format: ExpositionFormat): string[] {
  const sampleName = type === 'counter' ? `${name}_total` : name;
  const described = format === 'openmetrics' ? name : sampleName;
  const lines = [
    `# HELP ${described} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    `# TYPE ${described} ${type}`,
  ];
  for (const { labels, value } of samples) {
    if (typeof value === 'number') lines.push(`${sampleName}${labelText(labels)} ${numberText(value)}`);
    else lines.push(...histogramLines(name, labels, value));
  }
  return lines;
}

/** What the answer says it is. */
export const EXPOSITION_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Writes families as Prometheus reads them; those without a sample are left out. */
export function writeExposition(families: readonly MetricFamily[], format: ExpositionFormat): string {
  const lines = families
    .filter(({ samples }) => samples.length > 0)
    .flatMap((family) => familyLines(family, format));
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}
