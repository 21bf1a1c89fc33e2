import type { Clock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import type { MetricSnapshot } from '../../src/kit/metric-reader.ts';
import { readMetricSlabs } from '../../src/kit/metric-reader.ts';
import { createSlabMetrics } from '../../src/kit/metric-slab.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import type { Random } from '../../src/kit/random.ts';
import type { AnyActorDefinition } from './actor.ts';
import type { Link, LinkEnd } from './link.ts';
import { createLocalThread } from './local-thread.ts';
import { createFlight, createMailboxCells } from './mailbox-cells.ts';
import type { Protocol } from './protocol.ts';
import type { ActorLifeEvent, ActorRef } from './ref.ts';
import type { Restarts } from './restarts.ts';
import { createRestarts } from './restarts.ts';
import type { Scheduler } from './scheduler.ts';
import { shutDown } from './shutdown.ts';
import type { SystemStatus } from './status.ts';
import { readStatus } from './status.ts';
import type { SupervisionTree } from './supervision-tree.ts';
import { MAIN_THREAD, withMainThread } from './supervision-tree.ts';
import type { ActorRecord, System, ThreadRecord } from './system.ts';
import { createSystem, release } from './system.ts';
import type { Thread } from './thread.ts';
import type { ThreadBoot, ThreadEvents, ThreadPlatform, ThreadProcess } from './thread-control.ts';
import type { VitalSource } from './vitals.ts';
import { startVitals } from './vitals.ts';
import type { WatchdogLimits } from './watchdog.ts';
import { startWatchdog } from './watchdog.ts';

/** What the supervisor's own thread offers: it can host actors like any other. */
export interface MainThreadOptions<Map, Env> {
  readonly env: Env;
  definition(name: string): AnyActorDefinition<Map, Env>;
  openLink(end: LinkEnd): Link;
  /** What the main thread measures itself with; null when it does not. */
  readonly vitals: VitalSource | null;
  /** Takes what {@link Supervisor.tellThreads} says. */
  takeNotice?(notice: unknown): void;
}

export interface SupervisorOptions<Map, Env> {
  readonly tree: SupervisionTree;
  readonly platform: ThreadPlatform;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly scheduler: Scheduler;
  /**
   * @param metrics the figures of the main thread
   */
  main(metrics: Metrics): MainThreadOptions<Map, Env>;
  /** Null: no watchdog. */
  readonly watchdog: WatchdogLimits | null;
  /** Called once when a limit at the top is passed, after everything was stopped. */
  onFailure(error: Error): void;
}

/** The supervisor of all threads and actors. It lives on the main thread and answers whatever the others do. */
export interface Supervisor<Map> {
  /**
   * Makes the threads and starts all actors in order.
   *
   * @throws Error (rejection) when the system failed or was stopped before all had started
   */
  start(): Promise<void>;
  /** Stops all actors in reverse order, then the threads. Resolves when nothing runs any more. */
  stop(): Promise<void>;
  /** The address of an actor, used from the main thread. */
  ref<Name extends keyof Map & string>(name: Name): ActorRef<Map[Name] extends Protocol ? Map[Name] : never>;
  watch(actor: string, listener: (event: ActorLifeEvent) => void): () => void;
  /**
   * Ends the present incarnation of an actor as a crash would, without counting it as one, and starts the next at once.
   *
   * @returns resolves when the next incarnation has started
   * @throws Error when the tree has no such actor; (rejection) when the system stops before
   */
  restart(actor: string): Promise<void>;
  /** Ends a thread, whatever it does, and starts it anew with its actors. Counts against the thread's limit. */
  restartThread(thread: string, reason: string): void;
  /**
   * Says something to every thread that lives. A thread takes it between two turns, in the order in which it was said; one that is blocked
   * takes it when it goes on, and one that is made later knows it by what the platform gives to new threads.
   *
   * @param notice structured-cloneable
   */
  tellThreads(notice: unknown): void;
  /**
   * What has not been well for so long that the watchdog must have failed to mend it: a thread that cannot be ended, an actor that never
   * starts. Empty while the watchdog is satisfied.
   */
  beyondRepair(): readonly string[];
  /** Everything about threads and actors, from shared memory alone: no thread is asked. */
  status(): SystemStatus;
  /** The figures of one thread, or of all together. */
  figures(thread?: string): MetricSnapshot;
  /** Where the main thread counts. */
  readonly metrics: Metrics;
  /** Asks from the main thread that are not answered yet. */
  readonly pendingAsks: number;
}

/** What starting a thread needs. */
interface Spawning<Map, Env> {
  readonly system: System;
  readonly options: SupervisorOptions<Map, Env>;
  readonly metrics: Metrics;
  events(thread: ThreadRecord): ThreadEvents;
  hostsMain(thread: Thread<Map>): void;
}

function spawnProcess<Map, Env>(spawning: Spawning<Map, Env>, thread: ThreadRecord): ThreadProcess {
  const { system, options, metrics } = spawning;
  const boot: ThreadBoot = {
    thread: thread.number,
    directory: system.directory,
    cells: thread.cells.buffer,
    metrics: thread.metrics,
    lives: system.actors.flatMap((actor) => (actor.life === null ? [] : [actor.life])),
  };
  const events = spawning.events(thread);
  if (thread.name !== MAIN_THREAD) return options.platform.spawn(boot, events);
  const { clock, random, log, scheduler } = options;
  const main = options.main(metrics);
  const local = createLocalThread<Map, Env>(
    {
      boot,
      clock,
      random,
      log,
      metrics,
      scheduler,
      env: main.env,
      definition: (name) => main.definition(name),
      openLink: (end) => main.openLink(end),
      takeNotice: (notice) => main.takeNotice?.(notice),
    },
    {
      report: (report) => events.report(report),
      exited(error) {
        stopVitals();
        events.exited(error);
      },
    },
  );
  const stopVitals =
    main.vitals === null ? () => undefined : startVitals(clock, metrics, thread.cells, main.vitals);
  spawning.hostsMain(local.thread);
  return local.process;
}

/** Starts a life of a thread, and connects it to all others. */
function spawnThread<Map, Env>(spawning: Spawning<Map, Env>, thread: ThreadRecord): void {
  const { system, options } = spawning;
  thread.life += 1;
  thread.phase = 'booting';
  thread.cells = createMailboxCells(thread.actors.length);
  thread.process = spawnProcess(spawning, thread);
  for (const other of system.threads) {
    if (other === thread || other.process === null) continue;
    const [end, otherEnd] = options.platform.connect(thread.number, other.number);
    const incoming = createFlight(thread.actors.length);
    const outgoing = createFlight(other.actors.length);
    thread.process.post({
      kind: 'link',
      thread: other.number,
      cells: other.cells.buffer,
      end,
      outgoing,
      incoming,
    });
    other.process.post({
      kind: 'link',
      thread: thread.number,
      cells: thread.cells.buffer,
      end: otherEnd,
      outgoing: incoming,
      incoming: outgoing,
    });
  }
}

function getByName<Record extends { readonly name: string }>(all: readonly Record[], name: string): Record {
  const found = all.find((record) => record.name === name);
  if (found === undefined) throw new Error(`nothing in the tree is named ${name}`);
  return found;
}

interface Waiting {
  readonly whenAllStarted: Set<(error?: Error) => void>;
  stopped: Promise<void> | null;
  letProcessEnd: () => void;
}

function startAll(system: System, waiting: Waiting, spawn: (thread: ThreadRecord) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    waiting.whenAllStarted.add((error) => (error === undefined ? resolve() : reject(error)));
    for (const thread of system.threads) if (thread.process === null) spawn(thread);
  });
}

async function shutDownFor(system: System, waiting: Waiting, reason: Error): Promise<void> {
  await shutDown(system);
  waiting.letProcessEnd();
  release(waiting.whenAllStarted, reason);
  for (const actor of system.actors) release(actor.whenStarted, reason);
}

function stopAll(system: System, waiting: Waiting, reason: Error): Promise<void> {
  waiting.stopped ??= shutDownFor(system, waiting, reason);
  return waiting.stopped;
}

function restartOne(restarts: Restarts, system: System, actor: ActorRecord): Promise<void> {
  return new Promise((resolve, reject) => {
    if (system.phase === 'stopping' || system.phase === 'stopped') {
      reject(new Error('the system stops'));
      return;
    }
    actor.whenStarted.add((error) => (error === undefined ? resolve() : reject(error)));
    restarts.restartActor(actor, 'restarted');
  });
}

function readFigures(system: System, thread: string | undefined): MetricSnapshot {
  const threads = thread === undefined ? system.threads : [getByName(system.threads, thread)];
  return readMetricSlabs(threads.map(({ metrics }) => metrics));
}

function tellAll(system: System, notice: unknown): void {
  for (const { process } of system.threads) process?.post({ kind: 'notice', notice });
}

/** Makes a supervisor; nothing runs before `start`, but refs of the main thread exist already. */
export function createSupervisor<Map, Env>(options: SupervisorOptions<Map, Env>): Supervisor<Map> {
  const { clock, random, log } = options;
  const system = createSystem(withMainThread(options.tree), clock, random, log);
  const mainRecord = getByName(system.threads, MAIN_THREAD);
  const metrics = createSlabMetrics(mainRecord.metrics);
  const waiting: Waiting = { whenAllStarted: new Set(), stopped: null, letProcessEnd: () => undefined };
  let main: Thread<Map> | null = null;

  const getMain = (): Thread<Map> => {
    if (main === null) throw new Error('the main thread is not up');
    return main;
  };
  const spawning: Spawning<Map, Env> = {
    system,
    options,
    metrics,
    hostsMain: (thread) => {
      main = thread;
    },
    events(thread) {
      const { life } = thread;
      // What an earlier life still says counts no more.
      return {
        report: (report) =>
          life === thread.life && thread.process !== null && restarts.report(thread, report),
        exited: (error) => life === thread.life && restarts.exited(thread, error),
      };
    },
  };
  const failAll = async (error: Error): Promise<void> => {
    watchdog.stop();
    await stopAll(system, waiting, error);
    options.onFailure(error);
  };
  const restarts = createRestarts({
    system,
    spawn: (thread) => spawnThread(spawning, thread),
    allStarted() {
      system.phase = 'running';
      release(waiting.whenAllStarted);
    },
    fail(error) {
      if (waiting.stopped !== null) return;
      log.error('the system fails', { error });
      void failAll(error);
    },
  });
  const watchdog = startWatchdog({ system, limits: options.watchdog, metrics, restarts });
  spawnThread(spawning, mainRecord);

  return {
    start() {
      waiting.letProcessEnd = options.platform.keepAlive();
      return startAll(system, waiting, (thread) => spawnThread(spawning, thread));
    },
    stop() {
      watchdog.stop();
      return stopAll(system, waiting, new Error('the system was stopped'));
    },
    ref: (name) => getMain().ref(name),
    watch: (actor, listener) => getMain().watch(actor, listener),
    restart: (name) => restartOne(restarts, system, getByName(system.actors, name)),
    restartThread: (name, reason) => restarts.restartThread(getByName(system.threads, name), reason),
    tellThreads: (notice) => tellAll(system, notice),
    beyondRepair: () => watchdog.beyondRepair(),
    status: () => readStatus(system),
    figures: (name) => readFigures(system, name),
    metrics,
    get pendingAsks() {
      return getMain().pendingAsks;
    },
  };
}
