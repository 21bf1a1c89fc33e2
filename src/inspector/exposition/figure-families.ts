import type { HistogramSummary } from '../../kit/metric-reader.ts';
import { figuresUnder } from '../metric-names.ts';
import type { ThreadFigures } from '../stream-report.ts';
import type { Labels, MetricFamily, Sample } from './metric-family.ts';

const MICROSECONDS_PER_SECOND = 1e6;

/** A figure that stands under one name on each thread that has it, and counts for the whole server. */
interface PlainFigure {
  readonly figure: string;
  readonly name: string;
  readonly help: string;
}

const COUNTERS: readonly PlainFigure[] = [
  {
    figure: 'commit.transactions',
    name: 'troupe_commit_transactions',
    help: 'Transactions of the committer, each with one fsync.',
  },
  { figure: 'commit.sets', name: 'troupe_commit_sets', help: 'Write sets in them.' },
  {
    figure: 'commit.refused',
    name: 'troupe_commit_sets_refused',
    help: 'Write sets whose guard refused them: ordinary.',
  },
  {
    figure: 'commit.unavailable',
    name: 'troupe_commit_sets_unavailable',
    help: 'Write sets that could not be stored: disk full, read-only, or too much to do.',
  },
  {
    figure: 'commit.defects',
    name: 'troupe_commit_sets_defective',
    help: 'Write sets that no database could store: defects of this program.',
  },
  {
    figure: 'http.unrecognized',
    name: 'troupe_http_requests_unrecognized',
    help: 'Requests to paths that there are not.',
  },
  {
    figure: 'http.connections-dropped',
    name: 'troupe_http_connections_dropped',
    help: 'Connections closed at once because a gateway had too many.',
  },
  {
    figure: 'http.streamed-bytes-received',
    name: 'troupe_http_streamed_received_bytes',
    help: 'Bytes of uploads that came in.',
  },
  {
    figure: 'http.streamed-bytes-sent',
    name: 'troupe_http_streamed_sent_bytes',
    help: 'Bytes of files that were sent.',
  },
  {
    figure: 'notifier.woken',
    name: 'troupe_long_polls_woken',
    help: 'Long polls that ended because there was news.',
  },
  {
    figure: 'notifier.timed-out',
    name: 'troupe_long_polls_timed_out',
    help: 'Long polls that ended without.',
  },
  { figure: 'federation.requests', name: 'troupe_federation_requests', help: 'Requests to other servers.' },
  {
    figure: 'federation.requests-unreachable',
    name: 'troupe_federation_requests_failed',
    help: 'Those that got no answer.',
  },
  {
    figure: 'federation-sender.transactions',
    name: 'troupe_federation_transactions',
    help: 'Transactions that other servers have taken.',
  },
  {
    figure: 'federation-sender.transactions-failed',
    name: 'troupe_federation_transactions_failed',
    help: 'Transactions that they have not.',
  },
  { figure: 'federation-sender.pdus', name: 'troupe_federation_pdus_sent', help: 'Events in transactions.' },
  {
    figure: 'federation-sender.edus',
    name: 'troupe_federation_edus_sent',
    help: 'Ephemeral messages in transactions.',
  },
  {
    figure: 'federation-sender.events-rejected',
    name: 'troupe_federation_pdus_rejected',
    help: 'Events that another server did not accept.',
  },
  {
    figure: 'server-keys.fetched',
    name: 'troupe_federation_keys_fetched',
    help: 'Servers whose keys were fetched.',
  },
  {
    figure: 'server-keys.failed',
    name: 'troupe_federation_keys_failed',
    help: 'Servers whose keys nobody gave.',
  },
  {
    figure: 'push-sender.sent',
    name: 'troupe_push_sent',
    help: 'Notifications that push gateways have taken.',
  },
  {
    figure: 'push-sender.failed',
    name: 'troupe_push_failed',
    help: 'Attempts that failed and are repeated.',
  },
  {
    figure: 'push-sender.rejected',
    name: 'troupe_push_rejected',
    help: 'Notifications to pushers that are gone.',
  },
  { figure: 'push-sender.given-up', name: 'troupe_push_given_up', help: 'Notifications that were given up.' },
  {
    figure: 'push.events',
    name: 'troupe_push_events_evaluated',
    help: 'Events looked at for notifications.',
  },
  { figure: 'push.notifications', name: 'troupe_push_notifications', help: 'Notifications that they made.' },
  {
    figure: 'delayed-events.sent',
    name: 'troupe_delayed_events_sent',
    help: 'Delayed events that were sent.',
  },
  {
    figure: 'delayed-events.failed',
    name: 'troupe_delayed_events_failed',
    help: 'Delayed events that were refused when their time had come.',
  },
  { figure: 'watchdog.warned', name: 'troupe_watchdog_warnings', help: 'Messages that waited too long.' },
  {
    figure: 'watchdog.restarted',
    name: 'troupe_watchdog_restarts',
    help: 'Threads and actors restarted because of that.',
  },
];

const GAUGES: readonly PlainFigure[] = [
  {
    figure: 'commit.waiting',
    name: 'troupe_commit_sets_waiting',
    help: 'Write sets that wait for their transaction.',
  },
  { figure: 'notifier.parked', name: 'troupe_long_polls_waiting', help: 'Long polls that wait for news.' },
  {
    figure: 'pool.queued',
    name: 'troupe_pool_tasks_waiting',
    help: 'Tasks that wait for a thread of the pool.',
  },
  {
    figure: 'federation-sender.working',
    name: 'troupe_federation_destinations_working',
    help: 'Servers that something is being sent to.',
  },
  {
    figure: 'push-sender.working',
    name: 'troupe_push_gateways_working',
    help: 'Pushers that something is being sent to.',
  },
];

const HISTOGRAMS: readonly PlainFigure[] = [
  {
    figure: 'commit.time',
    name: 'troupe_commit_duration_seconds',
    help: 'How long transactions took, fsync included.',
  },
  {
    figure: 'federation.request-ms',
    name: 'troupe_federation_request_duration_seconds',
    help: 'How long other servers took to answer.',
  },
  {
    figure: 'push.evaluation.ms',
    name: 'troupe_push_evaluation_duration_seconds',
    help: 'How long a batch of events took to be looked at.',
  },
];

function sumHistograms(found: readonly HistogramSummary[]): HistogramSummary | undefined {
  const [first, ...others] = found;
  if (first === undefined || others.length === 0) return first;
  const buckets = Float64Array.from({ length: first.buckets.length }, (_, index) =>
    found.reduce((sum, one) => sum + (one.buckets[index] ?? 0), 0),
  );
  const total = (of: (one: HistogramSummary) => number): number =>
    found.reduce((sum, one) => sum + of(one), 0);
  return { ...first, buckets, count: total(({ count }) => count), sumMs: total(({ sumMs }) => sumMs) };
}

/** One sample, the sum over all threads; none when no thread has the figure. */
function summed(threads: readonly ThreadFigures[], kind: 'counters' | 'gauges', figure: string): Sample[] {
  const values = threads.flatMap(({ figures }) => figures[kind].get(figure) ?? []);
  return values.length === 0 ? [] : [{ labels: {}, value: values.reduce((sum, value) => sum + value, 0) }];
}

function summedHistogram(threads: readonly ThreadFigures[], figure: string): Sample[] {
  const value = sumHistograms(threads.flatMap(({ figures }) => figures.histograms.get(figure) ?? []));
  return value === undefined ? [] : [{ labels: {}, value }];
}

/** Figures that have one value for the whole server. */
export function plainFamilies(threads: readonly ThreadFigures[]): MetricFamily[] {
  return [
    ...COUNTERS.map(({ figure, name, help }) => ({
      name,
      help,
      type: 'counter' as const,
      samples: summed(threads, 'counters', figure),
    })),
    ...GAUGES.map(({ figure, name, help }) => ({
      name,
      help,
      type: 'gauge' as const,
      samples: summed(threads, 'gauges', figure),
    })),
    ...HISTOGRAMS.map(({ figure, name, help }) => ({
      name,
      help,
      type: 'histogram' as const,
      samples: summedHistogram(threads, figure),
    })),
  ];
}

/** Adds values of several threads up under the same labels. */
class Sums {
  readonly #sums = new Map<
    string,
    { readonly labels: Labels; readonly values: (number | HistogramSummary)[] }
  >();

  add(labels: Labels, value: number | HistogramSummary): void {
    const key = JSON.stringify(labels);
    const known = this.#sums.get(key);
    if (known === undefined) this.#sums.set(key, { labels, values: [value] });
    else known.values.push(value);
  }

  samples(): Sample[] {
    return [...this.#sums.values()].map(({ labels, values }) => ({
      labels,
      value:
        sumHistograms(values.filter((value) => typeof value !== 'number')) ??
        values.reduce<number>((sum, value) => sum + Number(value), 0),
    }));
  }
}

/** `http.endpoint.<METHOD> <path>.<figure>`: a path may hold dots, a figure holds none. */
const ENDPOINT_FIGURE = /^http\.endpoint\.(\S+) (.+)\.([a-z]+)$/;

/** Requests by endpoint: the paths are patterns such as `/rooms/{roomId}`, never what was asked for. */
export function httpFamilies(threads: readonly ThreadFigures[]): MetricFamily[] {
  const [requests, durations, limited] = [new Sums(), new Sums(), new Sums()];
  for (const { figures } of threads) {
    for (const [figure, value] of figures.counters) {
      const [, method = '', path = '', what] = ENDPOINT_FIGURE.exec(figure) ?? [];
      if (what === 'requests') {
        const of = (name: string): number =>
          figures.counters.get(`http.endpoint.${method} ${path}.${name}`) ?? 0;
        requests.add({ method, path, status: 'ok' }, value - of('refused') - of('errors'));
        requests.add({ method, path, status: '4xx' }, of('refused'));
        requests.add({ method, path, status: '5xx' }, of('errors'));
      }
    }
    for (const [figure, histogram] of figures.histograms) {
      const [, method = '', path = '', what] = ENDPOINT_FIGURE.exec(figure) ?? [];
      if (what === 'latency') durations.add({ method, path }, histogram);
    }
    for (const { subject, figure, value } of figuresUnder(figures.counters, 'http.rate-limited'))
      limited.add({ class: subject, by: figure }, Number(value));
  }
  return [
    {
      name: 'troupe_http_requests',
      type: 'counter',
      help: 'Requests by endpoint and status: ok is 2xx and 3xx; a client that was gone counts as 4xx.',
      samples: requests.samples(),
    },
    {
      name: 'troupe_http_request_duration_seconds',
      type: 'histogram',
      help: 'From the head of a request to its answer; a sync that waits for news takes as long as it waits.',
      samples: durations.samples(),
    },
    {
      name: 'troupe_http_rate_limited',
      type: 'counter',
      help: 'Requests refused by rate limits.',
      samples: limited.samples(),
    },
  ];
}

/** What each query costs. */
export function queryFamilies(threads: readonly ThreadFigures[]): MetricFamily[] {
  const [runs, time] = [new Sums(), new Sums()];
  for (const { figures } of threads)
    for (const [figure, value] of figures.counters) {
      const [, query = '', what] = /^query\.(.+)\.(count|us)$/.exec(figure) ?? [];
      if (what === 'count') runs.add({ query }, value);
      if (what === 'us') time.add({ query }, value / MICROSECONDS_PER_SECOND);
    }
  return [
    {
      name: 'troupe_query_executions',
      type: 'counter',
      help: 'How often a query ran.',
      samples: runs.samples(),
    },
    {
      name: 'troupe_query_seconds',
      type: 'counter',
      help: 'How long it took in sum.',
      samples: time.samples(),
    },
  ];
}
