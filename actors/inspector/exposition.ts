import { stat, statfs } from 'node:fs/promises';
import { databasePath } from '../../db/kit/sqlite.ts';
import { IMPLEMENTATION } from '../../src/http/kit/implementation.ts';
import { cacheReports } from '../../src/inspector/cache-report.ts';
import {
  httpFamilies,
  plainFamilies,
  queryFamilies,
} from '../../src/inspector/exposition/figure-families.ts';
import {
  type ExpositionFormat,
  type MetricFamily,
  type Sample,
  writeExposition,
} from '../../src/inspector/exposition/metric-family.ts';
import {
  cacheFamilies,
  type Column,
  columnFamilies,
  streamFamilies,
} from '../../src/inspector/exposition/report-families.ts';
import type { ReadinessReport } from '../../src/inspector/readiness-report.ts';
import { streamReport, type ThreadFigures } from '../../src/inspector/stream-report.ts';
import { streams } from '../../src/streams/registry.ts';
import { actorFigurePrefix, messageFigurePrefix } from '../kit/actor-figures.ts';
import type { ActorStatus, SystemStatus, ThreadStatus } from '../kit/status.ts';
import { VITALS } from '../kit/vitals.ts';

const MS_PER_SECOND = 1_000;
const MICROSECONDS_PER_SECOND = 1e6;

/** What an exposition is written from. */
export interface ExpositionGround {
  readonly status: SystemStatus;
  readonly figures: readonly ThreadFigures[];
  readonly readiness: ReadinessReport;
  readonly dataFolder: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedTs: number;
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, type: 'gauge', help, samples: [{ labels: {}, value }] };
}

function threadFamilies({ status, figures }: ExpositionGround): MetricFamily[] {
  const cpuSeconds = ({ name }: ThreadStatus): number =>
    figures.find(({ thread }) => thread === name)?.figures.gauges.get(VITALS.cpuSeconds) ?? 0;
  return columnFamilies(status.threads, ({ name }) => ({ thread: name }), [
    {
      name: 'troupe_thread_up',
      type: 'gauge',
      help: '1 while a thread runs and turns its event loop.',
      value: ({ state }) => (state === 'running' ? 1 : 0),
    },
    {
      name: 'troupe_thread_restarts',
      type: 'counter',
      help: 'How often a thread was made anew.',
      value: ({ restarts }) => restarts,
    },
    {
      name: 'troupe_thread_cpu_seconds',
      type: 'counter',
      help: 'Processor time that a thread has used in its present life.',
      value: cpuSeconds,
    },
    {
      name: 'troupe_thread_heap_used_bytes',
      type: 'gauge',
      help: 'JavaScript objects of a thread.',
      value: ({ heapUsedBytes }) => heapUsedBytes,
    },
    {
      name: 'troupe_thread_event_loop_lag_seconds',
      type: 'gauge',
      help: 'How late timers came in the last second, the latest.',
      value: ({ lagMaxMs }) => lagMaxMs / MS_PER_SECOND,
    },
    {
      name: 'troupe_thread_heartbeat_age_seconds',
      type: 'gauge',
      help: 'Time since a thread last turned its event loop.',
      value: ({ heartbeatAgeMs }) => heartbeatAgeMs / MS_PER_SECOND,
    },
  ]);
}

function actorHistograms(
  { status, figures }: ExpositionGround,
  pick: (of: ActorStatus, histograms: ThreadFigures['figures']['histograms']) => Sample[],
): Sample[] {
  return status.actors.flatMap((actor) => {
    const own = figures.find(({ thread }) => thread === actor.thread);
    return own === undefined ? [] : pick(actor, own.figures.histograms);
  });
}

const ACTOR_COLUMNS: readonly Column<ActorStatus>[] = [
  {
    name: 'troupe_actor_up',
    type: 'gauge',
    help: '1 while an actor runs.',
    value: ({ state }) => (state === 'running' ? 1 : 0),
  },
  {
    name: 'troupe_actor_mailbox_messages',
    type: 'gauge',
    help: 'Messages that wait for an actor.',
    value: ({ depth }) => depth,
  },
  {
    name: 'troupe_actor_open_messages',
    type: 'gauge',
    help: 'Messages begun and not answered.',
    value: ({ open }) => open,
  },
  {
    name: 'troupe_actor_oldest_message_age_seconds',
    type: 'gauge',
    help: 'How long the oldest message waits.',
    value: ({ oldestAgeMs }) => oldestAgeMs / MS_PER_SECOND,
  },
  {
    name: 'troupe_actor_messages_handled',
    type: 'counter',
    help: 'Messages handled to their end.',
    value: ({ handled }) => handled,
  },
  {
    name: 'troupe_actor_crashes',
    type: 'counter',
    help: 'Lives that ended in a crash.',
    value: ({ failed }) => failed,
  },
  {
    name: 'troupe_actor_restarts',
    type: 'counter',
    help: 'Starts after the first.',
    value: ({ restarts }) => restarts,
  },
  {
    name: 'troupe_actor_messages_refused',
    type: 'counter',
    help: 'Messages that found the mailbox full.',
    value: ({ refused }) => refused,
  },
  {
    name: 'troupe_actor_messages_dropped',
    type: 'counter',
    help: 'Messages that made room for newer ones.',
    value: ({ dropped }) => dropped,
  },
];

function actorFamilies(ground: ExpositionGround): MetricFamily[] {
  const columns = columnFamilies(
    ground.status.actors,
    ({ name, thread }) => ({ actor: name, thread }),
    ACTOR_COLUMNS,
  );
  const waits = actorHistograms(ground, ({ name }, histograms) => {
    const value = histograms.get(`${actorFigurePrefix(name)}waited`);
    return value === undefined ? [] : [{ labels: { actor: name }, value }];
  });
  const durations = actorHistograms(ground, ({ name }, histograms) => {
    const prefix = messageFigurePrefix(name);
    return [...histograms]
      .filter(([figure]) => figure.startsWith(prefix))
      .map(([figure, value]) => ({ labels: { actor: name, message: figure.slice(prefix.length) }, value }));
  });
  return [
    ...columns,
    {
      name: 'troupe_actor_wait_duration_seconds',
      type: 'histogram',
      help: 'From the sending of a message to its beginning.',
      samples: waits,
    },
    {
      name: 'troupe_actor_message_duration_seconds',
      type: 'histogram',
      help: 'From the beginning of a message to its answer.',
      samples: durations,
    },
  ];
}

function processFamilies({ startedTs, status, readiness }: ExpositionGround): MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const versions = { version: IMPLEMENTATION.version, node: process.versions.node };
  return [
    {
      name: 'troupe_build_info',
      type: 'gauge',
      help: 'Which version of what this is; always 1.',
      samples: [{ labels: versions, value: 1 }],
    },
    gauge('troupe_ready', '1 while requests should be sent here.', readiness.isReady ? 1 : 0),
    {
      name: 'troupe_ready_part',
      type: 'gauge',
      help: '1 while a part that requests need is well.',
      samples: readiness.parts.map(({ name, fault }) => ({
        labels: { part: name },
        value: fault === null ? 1 : 0,
      })),
    },
    gauge(
      'troupe_process_start_time_seconds',
      'When the server started, in seconds since the Unix epoch.',
      startedTs / MS_PER_SECOND,
    ),
    gauge('troupe_process_resident_memory_bytes', 'Memory of the process.', process.memoryUsage.rss()),
    {
      name: 'troupe_process_cpu_seconds',
      type: 'counter',
      help: 'Processor time of the process, all threads.',
      samples: [{ labels: {}, value: (user + system) / MICROSECONDS_PER_SECOND }],
    },
    gauge(
      'troupe_figures_without_place',
      'Figures that found no place in shared memory, and are missing here.',
      status.figuresOverflow,
    ),
  ];
}

/** What a file takes; 0 when it is not there, as the write-ahead log between two lives. */
async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return { size: 0 };
    throw error;
  });
  return found.size;
}

async function storageFamilies(dataFolder: string): Promise<MetricFamily[]> {
  const database = databasePath(dataFolder);
  const [bytes, walBytes, disk] = await Promise.all([
    sizeOf(database),
    sizeOf(`${database}-wal`),
    statfs(dataFolder),
  ]);
  return [
    gauge('troupe_database_bytes', 'The database.', bytes),
    gauge('troupe_database_wal_bytes', 'Its write-ahead log.', walBytes),
    gauge('troupe_disk_free_bytes', 'What is free on the disk of the data folder.', disk.bavail * disk.bsize),
    gauge('troupe_disk_size_bytes', 'The size of that disk.', disk.blocks * disk.bsize),
  ];
}

/** Everything that can be measured, for Prometheus: from shared memory, so that it is there whatever the other threads do. */
export async function expose(ground: ExpositionGround, format: ExpositionFormat): Promise<string> {
  const { figures, dataFolder } = ground;
  const families = [
    ...processFamilies(ground),
    ...(await storageFamilies(dataFolder)),
    ...threadFamilies(ground),
    ...actorFamilies(ground),
    ...streamFamilies(streams.map((stream) => streamReport(stream, figures))),
    ...cacheFamilies(cacheReports(figures)),
    ...httpFamilies(figures),
    ...plainFamilies(figures),
    ...queryFamilies(figures),
  ];
  return writeExposition(families, format);
}
