import type { PartReport, ReadinessReport } from '../../src/inspector/readiness-report.ts';
import type { Milliseconds } from '../../src/kit/clock.ts';
import type { MetricSnapshot } from '../../src/kit/metric-reader.ts';
import type { ActorStatus, SystemStatus, ThreadStatus } from '../kit/status.ts';

/** A write that failed counts against the server for so long, unless one has succeeded since. */
export const FAILED_WRITE_COUNTS_MS = 10_000;

/** What readiness is judged by. */
export interface ReadinessGround {
  readonly status: SystemStatus;
  /** Of the committer's thread. */
  readonly figures: MetricSnapshot;
  readonly diskFault: string | null;
  /** A monotonic reading. */
  readonly now: Milliseconds;
}

function threadFault(thread: ThreadStatus | undefined): string | null {
  if (thread === undefined || thread.state === 'running') return null;
  return `the thread ${thread.name} is ${thread.state}${thread.lastError === '' ? '' : ` (${thread.lastError})`}`;
}

function actorFault(actor: ActorStatus): string | null {
  if (actor.state === 'running') return null;
  return `${actor.name} is ${actor.state}${actor.lastError === '' ? '' : ` (${actor.lastError})`}`;
}

function join(faults: readonly (string | null)[]): string | null {
  const found = faults.filter((fault) => fault !== null);
  return found.length === 0 ? null : found.join('; ');
}

function writeFault({ figures, now }: ReadinessGround): string | null {
  const failedAt = figures.gauges.get('commit.unavailable-at') ?? 0;
  const committedAt = figures.gauges.get('commit.committed-at') ?? 0;
  if (failedAt <= committedAt || now - failedAt >= FAILED_WRITE_COUNTS_MS) return null;
  return `the last write failed: ${figures.texts.get('commit.last-error') ?? ''}`;
}

/** Judges whether requests should be sent here: every part that nearly all requests need is up, and nobody has asked for a stop. */
export function judgeReadiness(ground: ReadinessGround): ReadinessReport {
  const { status, diskFault } = ground;
  const { phase, threads, actors } = status;
  const committer = actors.find(({ name }) => name === 'committer');
  const store = threads.find(({ name }) => name === committer?.thread);
  const gateways = actors.filter(({ name }) => name.startsWith('http@'));
  const gatewayFaults = gateways.map(
    (actor) => threadFault(threads.find(({ name }) => name === actor.thread)) ?? actorFault(actor),
  );
  const parts: readonly PartReport[] = [
    { name: 'supervisor', fault: phase === 'running' ? null : `the server is ${phase}` },
    { name: 'store', fault: threadFault(store) },
    {
      name: 'committer',
      fault: committer === undefined ? 'it is not there' : join([actorFault(committer), writeFault(ground)]),
    },
    { name: 'gateways', fault: join(gatewayFaults) },
    { name: 'disk', fault: diskFault },
  ];
  return { isReady: parts.every(({ fault }) => fault === null), parts };
}
