import { openMailboxCells } from '../../actors/kit/mailbox-cells.ts';
import type { Link } from '../../actors/kit/link.ts';
import type { Scheduler } from '../../actors/kit/scheduler.ts';
import { eventLoopScheduler } from '../../actors/kit/scheduler.ts';
import type { Thread, ThreadOptions } from '../../actors/kit/thread.ts';
import { createThread } from '../../actors/kit/thread.ts';
import type { ThreadBoot, ThreadEvents, ThreadPlatform } from '../../actors/kit/thread-control.ts';
import type { VitalSource } from '../../actors/kit/vitals.ts';
import { startVitals } from '../../actors/kit/vitals.ts';
import { createSlabMetrics } from '../../src/kit/metric-slab.ts';
import type { InProcessLink } from './in-process-link.ts';
import { createInProcessLinks } from './in-process-link.ts';

/** What each simulated thread works with. */
export type InProcessThreadOptions<Map, Env> = Omit<
  ThreadOptions<Map, Env>,
  'boot' | 'metrics' | 'scheduler' | 'openLink' | 'report'
>;

/** Threads that are none: all of them live on the thread of the test, which can block and kill them. */
export interface InProcessPlatform extends ThreadPlatform {
  /** The thread dies: what is on its way to it or not yet sent is lost. */
  kill(thread: string, error: string): void;
  /** The thread does nothing any more, until it is unblocked or terminated. */
  block(thread: string): void;
  unblock(thread: string): void;
}

interface BlockableScheduler extends Scheduler {
  block(): void;
  unblock(): void;
  kill(): void;
}

function createBlockableScheduler(): BlockableScheduler {
  const held: (() => void)[] = [];
  let state: 'runs' | 'blocked' | 'dead' = 'runs';
  const guard = (action: () => void) => (): void => {
    if (state === 'runs') action();
    else if (state === 'blocked') held.push(action);
  };
  return {
    soon: (action) => eventLoopScheduler.soon(guard(action)),
    nextTurn: (action) => eventLoopScheduler.nextTurn(guard(action)),
    block() {
      state = 'blocked';
    },
    unblock() {
      state = 'runs';
      for (const action of held.splice(0)) action();
    },
    kill() {
      state = 'dead';
    },
  };
}

interface LivingThread {
  readonly scheduler: BlockableScheduler;
  readonly links: Set<InProcessLink>;
  die(error: string | undefined): void;
}

const NO_VITALS: VitalSource = {
  lag: () => ({ p50Ms: 0, maxMs: 0 }),
  heapUsedBytes: () => 0,
  cpuMicros: () => 0,
  close: () => undefined,
};

/**
 * @param optionsFor what a thread works with, by its name; called for each of its lives
 */
export function createInProcessPlatform<Map, Env>(
  optionsFor: (thread: string) => InProcessThreadOptions<Map, Env>,
): InProcessPlatform {
  const living = new Map<string, LivingThread>();
  const schedulers = new Map<number, Scheduler>();
  let names: readonly string[] = [];

  const spawn = (boot: ThreadBoot, events: ThreadEvents): ReturnType<ThreadPlatform['spawn']> => {
    names = boot.directory.threads;
    const name = names[boot.thread] ?? '';
    const options = optionsFor(name);
    const scheduler = createBlockableScheduler();
    const links = new Set<InProcessLink>();
    const metrics = createSlabMetrics(boot.metrics);
    let thread: Thread<Map> | null = null;
    let isAlive = true;
    // The heart beats through the scheduler: it stands still when the thread is blocked.
    const clock = {
      ...options.clock,
      now: () => options.clock.now(),
      monotonic: () => options.clock.monotonic(),
      after: (delayMs: number, action: () => void) =>
        options.clock.after(delayMs, () => scheduler.soon(action)),
    };
    const stopVitals = startVitals(clock, metrics, openMailboxCells(boot.cells), NO_VITALS);
    const die = (error: string | undefined): void => {
      if (!isAlive) return;
      isAlive = false;
      living.delete(name);
      stopVitals();
      for (const link of links) link.sever();
      thread?.halt();
      scheduler.kill();
      eventLoopScheduler.nextTurn(() => events.exited(error));
    };
    living.set(name, { scheduler, links, die });
    schedulers.set(boot.thread, scheduler);
    scheduler.nextTurn(() => {
      thread = createThread<Map, Env>({
        ...options,
        clock,
        boot,
        metrics,
        scheduler,
        openLink(end) {
          const link = end as InProcessLink;
          links.add(link);
          return link;
        },
        report: (report) => eventLoopScheduler.nextTurn(() => events.report(report)),
      });
    });
    return {
      post(command) {
        scheduler.nextTurn(() => {
          if (command.kind !== 'exit') {
            thread?.command(command);
            return;
          }
          thread?.halt();
          die(undefined);
        });
      },
      terminate: () => die('terminated'),
    };
  };
  const get = (name: string): LivingThread => {
    const found = living.get(name);
    if (found === undefined) throw new Error(`thread ${name} does not live`);
    return found;
  };
  return {
    spawn,
    connect(a, b) {
      const schedulerOf = (thread: number): Scheduler => schedulers.get(thread) ?? eventLoopScheduler;
      return createInProcessLinks(schedulerOf(a), schedulerOf(b));
    },
    keepAlive: () => () => undefined,
    kill: (name, error) => get(name).die(error),
    block: (name) => get(name).scheduler.block(),
    unblock: (name) => get(name).scheduler.unblock(),
  };
}

/** What the main thread makes of a channel's end. */
export function openInProcessLink(end: unknown): Link {
  return end as Link;
}
