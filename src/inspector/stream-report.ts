import type { MetricSnapshot } from '../kit/metric-reader.ts';
import type { Stream } from '../streams/stream.ts';
import { FOLLOWER_DROPS, OWNER_DROPS } from '../streams/stream-figures.ts';

/** One subscriber of a stream. */
export interface SubscriberReport {
  readonly name: string;
  readonly thread: string;
  /** `live`, `catching-up`, `unconnected` or `stalled`. */
  readonly state: string;
  readonly epoch: number;
  /** What it has applied, and how many positions it is behind what is published. */
  readonly position: number;
  readonly lag: number;
  readonly rowsApplied: number;
  readonly catchUps: {
    readonly count: number;
    readonly rows: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  };
  readonly resets: number;
  readonly waiters: number;
  readonly waitersTimedOut: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly lastError: string;
}

/** One stream, as its owner and all its subscribers see it. */
export interface StreamReport {
  readonly name: string;
  readonly kind: 'durable' | 'memory';
  readonly owner: string;
  readonly epoch: number;
  readonly committed: number;
  readonly published: number;
  readonly rowsPublished: number;
  readonly messagesSent: number;
  readonly rowsHeld: number;
  /** Invalidations that its rows implied, and that were sent. */
  readonly pokesIn: number;
  readonly pokesOut: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly subscribers: readonly SubscriberReport[];
}

/** The figures of one thread. */
export interface ThreadFigures {
  readonly thread: string;
  readonly figures: MetricSnapshot;
}

/** What was dropped for one of some reasons: an owner and a subscriber on one thread count side by side. */
function dropsFor(
  figures: MetricSnapshot,
  prefix: string,
  reasons: readonly string[],
): Record<string, number> {
  const drops: Record<string, number> = {};
  for (const reason of reasons) {
    const count = figures.counters.get(`${prefix}.drops.${reason}`);
    if (count !== undefined) drops[reason] = count;
  }
  return drops;
}

function subscriberReport(
  stream: string,
  published: number,
  { thread, figures }: ThreadFigures,
): SubscriberReport | null {
  const prefix = `stream.${stream}`;
  const position = figures.gauges.get(`${prefix}.applied`);
  if (position === undefined) return null;
  const count = (name: string): number => figures.counters.get(`${prefix}.${name}`) ?? 0;
  const took = figures.histograms.get(`${prefix}.catch-up-ms`);
  return {
    name: `views@${thread}`,
    thread,
    state: figures.texts.get(`${prefix}.state`) ?? 'unconnected',
    epoch: figures.gauges.get(`${prefix}.applied-epoch`) ?? 0,
    position,
    lag: Math.max(0, published - position),
    rowsApplied: count('rows-applied'),
    catchUps: {
      count: count('catch-ups'),
      rows: count('catch-up-rows'),
      p50Ms: took?.p50Ms ?? 0,
      p99Ms: took?.p99Ms ?? 0,
    },
    resets: count('resets'),
    waiters: figures.gauges.get(`${prefix}.waiters`) ?? 0,
    waitersTimedOut: count('waiters-timed-out'),
    drops: dropsFor(figures, prefix, FOLLOWER_DROPS),
    lastError: figures.texts.get(`${prefix}.last-error`) ?? '',
  };
}

/** Puts a stream's report together from the figures of all threads; whoever set `owner` on its thread is the owner. */
export function streamReport(stream: Stream, threads: readonly ThreadFigures[]): StreamReport {
  const prefix = `stream.${stream.name}`;
  const owning = threads.find(({ figures }) => (figures.texts.get(`${prefix}.owner`) ?? '') !== '');
  const gauge = (name: string): number => owning?.figures.gauges.get(`${prefix}.${name}`) ?? 0;
  const counter = (name: string): number => owning?.figures.counters.get(`${prefix}.${name}`) ?? 0;
  const published = gauge('published');
  const ofCaches = stream.name === 'caches';
  return {
    name: stream.name,
    kind: stream.kind,
    owner: owning?.figures.texts.get(`${prefix}.owner`) ?? stream.owner,
    epoch: gauge('epoch'),
    committed: gauge('committed'),
    published,
    rowsPublished: counter('rows-published'),
    messagesSent: counter('messages-sent'),
    rowsHeld: gauge('rows-held'),
    pokesIn: counter(ofCaches ? 'invalidations-in' : 'pokes-in'),
    pokesOut: counter(ofCaches ? 'pokes-sent' : 'pokes-out'),
    drops: owning === undefined ? {} : dropsFor(owning.figures, prefix, OWNER_DROPS),
    subscribers: threads.flatMap((one) => subscriberReport(stream.name, published, one) ?? []),
  };
}
