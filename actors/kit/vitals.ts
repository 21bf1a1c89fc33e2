import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock, Milliseconds, Timer } from '../../src/kit/clock.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import type { MailboxCells } from './mailbox-cells.ts';
import { beatHeart, HEARTBEAT_MS } from './mailbox-cells.ts';

/** A thread that has not turned for this long is shown as blocked. */
export const BLOCKED_AFTER_MS = 1_000;
/** How often it measures itself: every so many heartbeats. */
const SAMPLE_EVERY_BEATS = 4;
/** How finely the event loop's lag is measured, in milliseconds. */
const LAG_RESOLUTION_MS = 20;
const NANOSECONDS_PER_MS = 1e6;
const MICROSECONDS_PER_SECOND = 1e6;

/** Names of the figures that a thread keeps about itself. */
export const VITALS = {
  lagP50Ms: 'thread.event-loop-lag-p50-ms',
  lagMaxMs: 'thread.event-loop-lag-max-ms',
  heapUsedBytes: 'thread.heap-used-bytes',
  cpuShare: 'thread.cpu-share',
  /** In this life of the thread. */
  cpuSeconds: 'thread.cpu-seconds',
} as const;

/** What a thread can measure of itself. */
export interface VitalSource {
  /** Lag of the event loop since the last call, in milliseconds. */
  lag(): { readonly p50Ms: Milliseconds; readonly maxMs: Milliseconds };
  heapUsedBytes(): number;
  /** CPU time that this thread has used, in microseconds. */
  cpuMicros(): number;
  close(): void;
}

/** Measures the thread that calls it. */
export function createVitalSource(): VitalSource {
  const monitor = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  monitor.enable();
  return {
    lag() {
      // The monitor measures the distance of its own timers: what is beyond their resolution is lag.
      const beyond = (nanos: number): number =>
        monitor.count === 0 ? 0 : Math.max(0, nanos / NANOSECONDS_PER_MS - LAG_RESOLUTION_MS);
      const lag = { p50Ms: beyond(monitor.percentile(50)), maxMs: beyond(monitor.max) };
      monitor.reset();
      return lag;
    },
    heapUsedBytes: () => getHeapStatistics().used_heap_size,
    cpuMicros() {
      const { user, system } = process.threadCpuUsage();
      return user + system;
    },
    close: () => void monitor.disable(),
  };
}

/**
 * Makes a thread's heart beat in its cells and its vital figures show in its slab.
 *
 * @returns a function that stops it
 */
export function startVitals(
  clock: Clock,
  metrics: Metrics,
  cells: MailboxCells,
  source: VitalSource,
): () => void {
  const lagP50Ms = metrics.gauge(VITALS.lagP50Ms);
  const lagMaxMs = metrics.gauge(VITALS.lagMaxMs);
  const heapUsedBytes = metrics.gauge(VITALS.heapUsedBytes);
  const cpuShare = metrics.gauge(VITALS.cpuShare);
  const cpuSeconds = metrics.gauge(VITALS.cpuSeconds);
  let beats = 0;
  let sampledAt = clock.monotonic();
  let cpuMicros = source.cpuMicros();

  const sample = (): void => {
    const now = clock.monotonic();
    const used = source.cpuMicros();
    const lag = source.lag();
    lagP50Ms.set(lag.p50Ms);
    lagMaxMs.set(lag.maxMs);
    heapUsedBytes.set(source.heapUsedBytes());
    if (now > sampledAt) cpuShare.set((used - cpuMicros) / 1000 / (now - sampledAt));
    cpuSeconds.set(used / MICROSECONDS_PER_SECOND);
    sampledAt = now;
    cpuMicros = used;
  };
  const beat = (): void => {
    beatHeart(cells, clock);
    if (beats % SAMPLE_EVERY_BEATS === 0) sample();
    beats += 1;
    timer = clock.after(HEARTBEAT_MS, beat);
  };
  let timer: Timer = clock.after(HEARTBEAT_MS, beat);
  beatHeart(cells, clock);
  return () => {
    clock.cancel(timer);
    source.close();
  };
}
