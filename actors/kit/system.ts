import type { Clock, Timer } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import { createMetricBuffer } from '../../src/kit/metric-slab.ts';
import type { Random } from '../../src/kit/random.ts';
import type { Directory } from './directory.ts';
import type { MailboxCells } from './mailbox-cells.ts';
import { createMailboxCells } from './mailbox-cells.ts';
import type { ActorLifeEvent } from './ref.ts';
import type { RestartTracker } from './restart-tracker.ts';
import { createRestartTracker } from './restart-tracker.ts';
import type { SupervisionTree } from './supervision-tree.ts';
import { createDirectory } from './supervision-tree.ts';
import type { ThreadProcess } from './thread-control.ts';

/**
 * What the supervisor knows of an actor. `waiting`: to be started as soon as those before it are up; `backing-off`: it crashed and waits
 * for its restart.
 */
export interface ActorRecord {
  readonly number: number;
  readonly name: string;
  readonly slot: number;
  readonly thread: ThreadRecord;
  readonly tracker: RestartTracker;
  phase: 'waiting' | 'starting' | 'running' | 'backing-off' | 'stopped';
  incarnation: number;
  restarts: number;
  /** Somebody asked for a restart: the end of the present incarnation is no failure. */
  isRestartWanted: boolean;
  backoff: Timer | null;
  life: ActorLifeEvent | null;
  /** Called once, when it has started or stopped. */
  readonly whenStarted: Set<(error?: Error) => void>;
  readonly whenStopped: Set<() => void>;
}

/** What the supervisor knows of a thread. `down`: dead, to be made again; `ended`: stopped for good. */
export interface ThreadRecord {
  readonly number: number;
  readonly name: string;
  readonly actors: ActorRecord[];
  readonly tracker: RestartTracker;
  readonly metrics: SharedArrayBuffer;
  phase: 'down' | 'booting' | 'up' | 'ended';
  /** All its actors have started since it came up. */
  isComplete: boolean;
  process: ThreadProcess | null;
  cells: MailboxCells;
  /** Counts its lives. */
  life: number;
  restarts: number;
  /** Why the supervisor ended it; null when it did not. */
  endedBecause: string | null;
  lastError: string | null;
  backoff: Timer | null;
  readonly whenExited: Set<() => void>;
}

/** The state of the supervisor: one record for each thread and actor of the tree. */
export interface System {
  readonly tree: SupervisionTree;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly threads: readonly ThreadRecord[];
  readonly actors: readonly ActorRecord[];
  phase: 'starting' | 'running' | 'stopping' | 'stopped';
}

/**
 * Lays out the records of a tree in which nothing has started.
 *
 * @param tree with its main thread
 */
export function createSystem(tree: SupervisionTree, clock: Clock, random: Random, log: Logger): System {
  const directory = createDirectory(tree);
  const actors: ActorRecord[] = [];
  const threads = tree.threads.map((spec, number): ThreadRecord => {
    const thread: ThreadRecord = {
      number,
      name: spec.name,
      actors: [],
      tracker: createRestartTracker(tree.threadRestarts, clock, random),
      metrics: createMetricBuffer(),
      phase: 'down',
      isComplete: false,
      process: null,
      cells: createMailboxCells(spec.actors.length),
      life: 0,
      restarts: 0,
      endedBecause: null,
      lastError: null,
      backoff: null,
      whenExited: new Set(),
    };
    spec.actors.forEach(({ name, restarts }, slot) => {
      const actor: ActorRecord = {
        number: actors.length,
        name,
        slot,
        thread,
        tracker: createRestartTracker(restarts ?? tree.actorRestarts, clock, random),
        phase: 'waiting',
        incarnation: 0,
        restarts: 0,
        isRestartWanted: false,
        backoff: null,
        life: null,
        whenStarted: new Set(),
        whenStopped: new Set(),
      };
      thread.actors.push(actor);
      actors.push(actor);
    });
    return thread;
  });
  return { tree, directory, clock, random, log, threads, actors, phase: 'starting' };
}

/** Tells every thread that lives what has become of an actor. */
export function tellLife(system: System, actor: ActorRecord, event: 'started' | 'stopped'): void {
  if (event === 'stopped' && actor.life?.event !== 'started') return;
  const life: ActorLifeEvent = { actor: actor.name, event, incarnation: actor.incarnation };
  actor.life = life;
  for (const thread of system.threads) thread.process?.post({ kind: 'life', life });
}

/** Calls, once, everyone who waits. */
export function release<Args extends unknown[]>(waiting: Set<(...args: Args) => void>, ...args: Args): void {
  const all = [...waiting];
  waiting.clear();
  for (const listener of all) listener(...args);
}
