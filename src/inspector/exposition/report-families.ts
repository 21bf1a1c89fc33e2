import type { CacheReport } from '../cache-report.ts';
import type { StreamReport, SubscriberReport } from '../stream-report.ts';
import type { Labels, MetricFamily } from './metric-family.ts';

/** What one column of a report becomes. */
export interface Column<Row> {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly value: (row: Row) => number;
}

/** One family for each column, with one sample for each row. */
export function columnFamilies<Row>(
  rows: readonly Row[],
  labels: (row: Row) => Labels,
  columns: readonly Column<Row>[],
): MetricFamily[] {
  return columns.map(({ name, type, help, value }) => ({
    name,
    type,
    help,
    samples: rows.map((row) => ({ labels: labels(row), value: value(row) })),
  }));
}

/** Hits, misses and sizes of each cache on each thread. */
export function cacheFamilies(caches: readonly CacheReport[]): MetricFamily[] {
  return columnFamilies(caches, ({ name, thread }) => ({ cache: name, thread }), [
    {
      name: 'troupe_cache_hits',
      type: 'counter',
      help: 'Look-ups answered from memory.',
      value: ({ hits }) => hits,
    },
    {
      name: 'troupe_cache_misses',
      type: 'counter',
      help: 'Look-ups that read the database.',
      value: ({ misses }) => misses,
    },
    {
      name: 'troupe_cache_invalidations',
      type: 'counter',
      help: 'Entries that became untrue.',
      value: ({ invalidations }) => invalidations,
    },
    {
      name: 'troupe_cache_size',
      type: 'gauge',
      help: 'What the entries count, in the unit of the cache.',
      value: ({ size }) => size,
    },
  ]);
}

const STREAM_COLUMNS: readonly Column<StreamReport>[] = [
  {
    name: 'troupe_stream_position',
    type: 'gauge',
    help: 'The last position that was committed.',
    value: ({ committed }) => committed,
  },
  {
    name: 'troupe_stream_published_position',
    type: 'gauge',
    help: 'The last position that subscribers were told.',
    value: ({ published }) => published,
  },
  {
    name: 'troupe_stream_rows_published',
    type: 'counter',
    help: 'Rows told.',
    value: ({ rowsPublished }) => rowsPublished,
  },
];

const SUBSCRIBER_COLUMNS: readonly Column<SubscriberReport>[] = [
  {
    name: 'troupe_stream_lag_positions',
    type: 'gauge',
    help: 'How many positions a thread is behind what was told.',
    value: ({ lag }) => lag,
  },
  {
    name: 'troupe_stream_live',
    type: 'gauge',
    help: '1 while a thread follows the stream, 0 while it catches up, is stalled or not connected.',
    value: ({ state }) => (state === 'live' ? 1 : 0),
  },
  {
    name: 'troupe_stream_catch_ups',
    type: 'counter',
    help: 'How often a thread had to catch up from the database.',
    value: ({ catchUps }) => catchUps.count,
  },
  {
    name: 'troupe_stream_resets',
    type: 'counter',
    help: 'New lives of the stream that a thread has seen.',
    value: ({ resets }) => resets,
  },
  {
    name: 'troupe_stream_waiters',
    type: 'gauge',
    help: 'Answers to writes that wait until a thread has seen them.',
    value: ({ waiters }) => waiters,
  },
  {
    name: 'troupe_stream_waiters_timed_out',
    type: 'counter',
    help: 'Those that waited in vain.',
    value: ({ waitersTimedOut }) => waitersTimedOut,
  },
];

/** Positions of each stream, and how far each thread is behind. */
export function streamFamilies(streams: readonly StreamReport[]): MetricFamily[] {
  const subscribers = streams.flatMap((stream) =>
    stream.subscribers.map((subscriber) => ({ stream: stream.name, ...subscriber })),
  );
  const drops = [
    ...streams.map((stream) => ({ stream: stream.name, thread: 'owner', drops: stream.drops })),
    ...subscribers,
  ].flatMap(({ stream, thread, drops: reasons }) =>
    Object.entries(reasons).map(([reason, count]) => ({ stream, thread, reason, count })),
  );
  return [
    ...columnFamilies(streams, ({ name }) => ({ stream: name }), STREAM_COLUMNS),
    ...columnFamilies(subscribers, ({ stream, thread }) => ({ stream, thread }), SUBSCRIBER_COLUMNS),
    ...columnFamilies(drops, ({ stream, thread, reason }) => ({ stream, thread, reason }), [
      {
        name: 'troupe_stream_drops',
        type: 'counter',
        help: 'Messages about rows that were not applied, and why; catching up makes up for them.',
        value: ({ count }) => count,
      },
    ]),
  ];
}
