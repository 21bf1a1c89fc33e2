import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import { createSlabMetrics } from '../../src/kit/metric-slab.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import type { Random } from '../../src/kit/random.ts';
import type { AnyActorDefinition } from './actor.ts';
import { openMailboxCells } from './mailbox-cells.ts';
import { createMessagePortLink } from './message-port-link.ts';
import { eventLoopScheduler } from './scheduler.ts';
import { createThread } from './thread.ts';
import type { ThreadCommand } from './thread-control.ts';
import { createVitalSource, startVitals } from './vitals.ts';
import type { WorkerBoot } from './worker-platform.ts';

/** What a worker thread knows before it offers anything. */
export interface WorkerStart {
  /** Its name in the tree. */
  readonly thread: string;
  /** Names of its actors, in start order. */
  readonly actors: readonly string[];
  readonly metrics: Metrics;
  /** What the program gave to `createWorkerPlatform`. */
  readonly data: unknown;
}

/** What a worker thread works with. */
export interface WorkerSetup<Map, Env> {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly env: Env;
  definition(name: string): AnyActorDefinition<Map, Env>;
  /** Called when all actors have stopped, before the thread ends; not when it is terminated. */
  close?(): Promise<void> | void;
  /** Takes what the program says to every thread, in order, from the moment on at which the thread was made. */
  takeNotice?(notice: unknown): void;
}

/**
 * Serves the actors of this worker thread until the supervisor tells it to exit: the one call of a worker's entry module.
 *
 * @param setUp opens what the thread offers; a throw or rejection ends the thread, and the supervisor restarts it within its limits
 * @throws Error when it is not called on a worker thread
 */
export async function serveWorkerThread<Map, Env>(
  setUp: (start: WorkerStart) => WorkerSetup<Map, Env> | Promise<WorkerSetup<Map, Env>>,
): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('this is not a worker thread');
  const { boot, data } = workerData as WorkerBoot;
  const metrics = createSlabMetrics(boot.metrics);
  const setup = await setUp({
    thread: boot.directory.threads[boot.thread] ?? '',
    actors: boot.directory.actors.filter(({ thread }) => thread === boot.thread).map(({ name }) => name),
    metrics,
    data,
  });
  const { clock, random, log, env } = setup;
  const stopVitals = startVitals(clock, metrics, openMailboxCells(boot.cells), createVitalSource());
  const thread = createThread<Map, Env>({
    boot,
    clock,
    random,
    log,
    metrics,
    scheduler: eventLoopScheduler,
    env,
    definition: (name) => setup.definition(name),
    openLink: (end) => createMessagePortLink(end as MessagePort),
    report: (report) => port.postMessage(report),
    takeNotice: (notice) => setup.takeNotice?.(notice),
  });
  const exit = async (): Promise<void> => {
    thread.halt();
    stopVitals();
    await setup.close?.();
    // Nothing else keeps the thread alive.
    port.close();
  };
  port.on('message', (command: ThreadCommand) => {
    if (command.kind === 'exit') void exit();
    else thread.command(command);
  });
}
