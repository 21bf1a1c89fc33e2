import type { AnyActorDefinition } from '../../actors/kit/actor.ts';
import { createMessagePortLink } from '../../actors/kit/message-port-link.ts';
import type { Protocol } from '../../actors/kit/protocol.ts';
import type { ActorRef } from '../../actors/kit/ref.ts';
import { eventLoopScheduler } from '../../actors/kit/scheduler.ts';
import type { SystemStatus } from '../../actors/kit/status.ts';
import type { SupervisionTree, ThreadSpec } from '../../actors/kit/supervision-tree.ts';
import { MAIN_THREAD, SUPERVISION_DEFAULTS } from '../../actors/kit/supervision-tree.ts';
import type { Supervisor } from '../../actors/kit/supervisor.ts';
import { createSupervisor } from '../../actors/kit/supervisor.ts';
import type { WatchdogLimits } from '../../actors/kit/watchdog.ts';
import { createWorkerPlatform } from '../../actors/kit/worker-platform.ts';
import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../../src/kit/clock.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import type { Random } from '../../src/kit/random.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { crashable } from './crashable.ts';

/** Something that a module exports: the only way to name a definition, or what makes an environment, on another thread. */
export interface ModuleExport {
  /** An absolute specifier, as `import.meta.resolve` or `new URL(…, import.meta.url).href` give it. */
  readonly module: string;
  readonly exportName: string;
}

/** An actor whose definition is a module's export: it can live on either side. */
export interface ActorModule extends ModuleExport {
  /** The worker thread on which it lives with `other-thread`; `worker` when not given. */
  readonly thread?: string;
}

/** How the messages of a test travel. */
export type Transport = 'same-thread' | 'other-thread';
export const TRANSPORTS: readonly Transport[] = ['same-thread', 'other-thread'];

export interface ActorHostOptions<Map, Env> {
  /**
   * `same-thread`: all actors live on the thread of the test. `other-thread`: those given as modules live on worker threads, those
   * given as definitions stay on the thread of the test (good for doubles of the neighbours).
   */
  readonly transport: Transport;
  /** In start order. */
  readonly actors: readonly (AnyActorDefinition<Map, Env> | ActorModule)[];
  /** What actors on the thread of the test find in their context. */
  readonly env: Env;
  /** A function `(start: WorkerStart) => Env | Promise<Env>`: what actors on workers find in theirs. */
  readonly workerEnv?: ModuleExport;
  /** Structured-cloneable; `workerEnv` finds it in `start.data`. */
  readonly workerData?: unknown;
  /** Of the thread of the test; workers have the system's clock. */
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  /** Instead of restarts after a millisecond and the usual limits. */
  readonly supervision?: Partial<Omit<SupervisionTree, 'threads'>>;
  readonly watchdog?: WatchdogLimits;
  readonly onFailure?: (error: Error) => void;
}

/** Actors that run for a test. */
export interface ActorHost<Map> {
  readonly supervisor: Supervisor<Map>;
  ref<Name extends keyof Map & string>(name: Name): ActorRef<Map[Name] extends Protocol ? Map[Name] : never>;
  /** Resolves when the next incarnation has started. */
  restart(name: keyof Map & string): Promise<void>;
  /** The next message that `name` begins throws instead of being handled, whichever thread it lives on. */
  crashNext(name: keyof Map & string): void;
  status(): SystemStatus;
  /**
   * Resolves when no message waits, runs or is on its way, and no actor is starting. An actor between a crash and its restart counts as
   * idle; time that only a fake clock can let pass is not waited for.
   *
   * @throws Error when that takes more than {@link IDLE_DEADLINE_MS}
   */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** A test that waits longer waits in vain. */
export const IDLE_DEADLINE_MS = 10_000;

/** What the worker of {@link createActorHost} finds in its data. */
export interface HostWorkerData {
  readonly actors: readonly (ActorModule & { readonly name: string })[];
  readonly env: ModuleExport | null;
  readonly data: unknown;
  readonly crashFlags: SharedArrayBuffer;
  readonly names: readonly string[];
}

/** Loads what a module exports. */
export async function loadExport(wanted: ModuleExport): Promise<unknown> {
  const loaded = (await import(wanted.module)) as Readonly<Record<string, unknown>>;
  const found = loaded[wanted.exportName];
  if (found === undefined) throw new Error(`${wanted.module} does not export ${wanted.exportName}`);
  return found;
}

interface Placed<Map, Env> {
  readonly definition: AnyActorDefinition<Map, Env>;
  readonly module: ActorModule | null;
  readonly thread: string;
}

async function placeActors<Map, Env>(options: ActorHostOptions<Map, Env>): Promise<Placed<Map, Env>[]> {
  const load = async (actor: AnyActorDefinition<Map, Env> | ActorModule): Promise<Placed<Map, Env>> => {
    if (!('module' in actor)) return { definition: actor, module: null, thread: MAIN_THREAD };
    const definition = (await loadExport(actor)) as AnyActorDefinition<Map, Env>;
    const thread = options.transport === 'same-thread' ? MAIN_THREAD : (actor.thread ?? 'worker');
    return { definition, module: actor, thread };
  };
  return Promise.all(options.actors.map(load));
}

function threadsOf<Map, Env>(placed: readonly Placed<Map, Env>[]): ThreadSpec[] {
  const names = [...new Set(placed.map(({ thread }) => thread))];
  return names.map((name) => ({
    name,
    actors: placed
      .filter(({ thread }) => thread === name)
      .map(({ definition }) => ({ name: definition.name })),
  }));
}

function isQuiet(status: SystemStatus, pendingAsks: number): boolean {
  if (pendingAsks > 0) return false;
  return status.actors.every(
    ({ state, depth, open }) =>
      state === 'crashed' || (state !== 'starting' && state !== 'waiting' && depth === 0 && open === 0),
  );
}

async function waitForQuiet(supervisor: Pick<Supervisor<never>, 'status' | 'pendingAsks'>): Promise<void> {
  const until = performance.now() + IDLE_DEADLINE_MS;
  // Quiet twice in a row: what was sent in between has been seen.
  for (let quietTurns = 0; quietTurns < 2;) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    quietTurns = isQuiet(supervisor.status(), supervisor.pendingAsks) ? quietTurns + 1 : 0;
    if (performance.now() > until)
      throw new Error(`the actors do not come to rest: ${JSON.stringify(supervisor.status().actors)}`);
  }
}

/** Starts the actors of a test under a real supervisor. Stop the host at the end of the test. */
export async function createActorHost<Map, Env>(
  options: ActorHostOptions<Map, Env>,
): Promise<ActorHost<Map>> {
  const placed = await placeActors(options);
  const names = placed.map(({ definition }) => definition.name);
  const crashFlags = new SharedArrayBuffer(4 * Math.max(1, names.length));
  const definitions = new Map(
    placed.map(({ definition }) => [definition.name, crashable(definition, crashFlags, names)]),
  );
  const data: HostWorkerData = {
    actors: placed.flatMap(({ module, definition }) =>
      module === null ? [] : [{ ...module, name: definition.name }],
    ),
    env: options.workerEnv ?? null,
    data: options.workerData,
    crashFlags,
    names,
  };
  const supervisor = createSupervisor<Map, Env>({
    tree: {
      ...SUPERVISION_DEFAULTS,
      actorRestarts: {
        ...SUPERVISION_DEFAULTS.actorRestarts,
        backoff: { initialMs: 1, factor: 1, maxMs: 1 },
      },
      threadRestarts: {
        ...SUPERVISION_DEFAULTS.threadRestarts,
        backoff: { initialMs: 1, factor: 1, maxMs: 1 },
      },
      ...options.supervision,
      threads: threadsOf(placed),
    },
    platform: createWorkerPlatform({
      entry: new URL('./actor-host-worker.ts', import.meta.url),
      data: () => data,
    }),
    clock: options.clock ?? systemClock,
    random: options.random ?? seededRandom(1),
    log: options.log ?? silentLogger,
    scheduler: eventLoopScheduler,
    main: () => ({
      env: options.env,
      definition(name) {
        const definition = definitions.get(name);
        if (definition === undefined) throw new Error(`no definition of ${name}`);
        return definition;
      },
      openLink: (end) => createMessagePortLink(end as MessagePort),
      vitals: null,
    }),
    watchdog: options.watchdog ?? null,
    onFailure: options.onFailure ?? (() => undefined),
  });
  await supervisor.start();
  return {
    supervisor,
    ref: (name) => supervisor.ref(name),
    restart: (name) => supervisor.restart(name),
    crashNext: (name) => void Atomics.store(new Int32Array(crashFlags), names.indexOf(name), 1),
    status: () => supervisor.status(),
    idle: () => waitForQuiet(supervisor),
    stop: () => supervisor.stop(),
  };
}
