import type { BackoffPolicy } from '../../src/kit/backoff.ts';
import type { Milliseconds } from '../../src/kit/clock.ts';
import type { ActorPlace, Directory } from './directory.ts';

/** How often something may be restarted before what is above it has to act, and how long to wait before each restart. */
export interface RestartPolicy {
  /** Restarts allowed within `windowMs`; the next one escalates. */
  readonly max: number;
  readonly windowMs: Milliseconds;
  readonly backoff: BackoffPolicy;
}

export interface ActorSpec {
  readonly name: string;
  /** Instead of the tree's `actorRestarts`. */
  readonly restarts?: RestartPolicy;
}

export interface ThreadSpec {
  readonly name: string;
  /** In start order. */
  readonly actors: readonly ActorSpec[];
}

/**
 * The whole system as data. The thread named {@link MAIN_THREAD} is the supervisor's own; it exists also when the tree does not name it,
 * without actors. All others are made by the platform.
 */
export interface SupervisionTree {
  /** In start order; stopped in reverse. */
  readonly threads: readonly ThreadSpec[];
  /** Actors that others know and that this tree leaves out: a ref to one answers `stopped`. None when absent. */
  readonly absent?: readonly string[];
  /** An actor over it makes its thread restart. */
  readonly actorRestarts: RestartPolicy;
  /** A thread over it makes the whole system stop. */
  readonly threadRestarts: RestartPolicy;
  /** How long each actor has to work off its mailbox and stop. */
  readonly stopDeadlineMs: Milliseconds;
}

/** The supervisor's own thread. */
export const MAIN_THREAD = 'main';

/** Restart limits and deadlines that suit most trees. */
export const SUPERVISION_DEFAULTS: Omit<SupervisionTree, 'threads'> = {
  actorRestarts: { max: 5, windowMs: 30_000, backoff: { initialMs: 20, factor: 4, maxMs: 5_000 } },
  threadRestarts: { max: 5, windowMs: 120_000, backoff: { initialMs: 50, factor: 3, maxMs: 10_000 } },
  stopDeadlineMs: 5_000,
};

/** The tree with the supervisor's own thread in it. */
export function withMainThread(tree: SupervisionTree): SupervisionTree {
  if (tree.threads.some((thread) => thread.name === MAIN_THREAD)) return tree;
  return { ...tree, threads: [...tree.threads, { name: MAIN_THREAD, actors: [] }] };
}

/**
 * Numbers all threads and actors.
 *
 * @throws Error when a name occurs twice
 */
export function createDirectory(tree: SupervisionTree): Directory {
  const names = new Set<string>();
  const actors: ActorPlace[] = [];
  tree.threads.forEach((thread, number) => {
    thread.actors.forEach((actor, slot) => {
      if (names.has(actor.name)) throw new Error(`two actors are named ${actor.name}`);
      names.add(actor.name);
      actors.push({ name: actor.name, thread: number, slot });
    });
  });
  const threads = tree.threads.map((thread) => thread.name);
  if (new Set(threads).size < threads.length) throw new Error('two threads have the same name');
  return { threads, actors, absent: tree.absent ?? [] };
}
