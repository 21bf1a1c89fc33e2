import type { ThreadFigures } from './stream-report.ts';

/** Events that users have sent later: what waits, and how it went since the last start of their owner's thread. MSC4140. */
export interface DelayedEventsReport {
  /** How many wait for their time. */
  readonly scheduled: number;
  /** When the next is to be sent, in milliseconds since the Unix epoch; null when none waits. */
  readonly nextDueTs: number | null;
  readonly sent: number;
  readonly cancelled: number;
  readonly restarted: number;
  /** Refused when their time had come. */
  readonly failed: number;
  /** By how much the latest was sent after its time. */
  readonly lastLateMs: number;
}

/** @param waiting what the database says */
export function delayedEventsReport(
  waiting: Pick<DelayedEventsReport, 'scheduled' | 'nextDueTs'>,
  threads: readonly ThreadFigures[],
): DelayedEventsReport {
  const sumOf = (name: string): number =>
    threads.reduce((sum, { figures }) => sum + (figures.counters.get(`delayed-events.${name}`) ?? 0), 0);
  const lates = threads.map(({ figures }) => figures.gauges.get('delayed-events.late-ms') ?? 0);
  return {
    ...waiting,
    sent: sumOf('sent'),
    cancelled: sumOf('cancelled'),
    restarted: sumOf('restarted'),
    failed: sumOf('failed'),
    lastLateMs: Math.max(0, ...lates),
  };
}
