import type { MetricSnapshot } from '../../src/kit/metric-reader.ts';
import { readMetricSlabs } from '../../src/kit/metric-reader.ts';
import { actorFigurePrefix, messageFigurePrefix } from './actor-figures.ts';
import type { ActorState } from './mailbox-cells.ts';
import { depthOf, heartbeatAgeMs, oldestAgeMs, openOf, stateOf } from './mailbox-cells.ts';
import type { ActorRecord, System, ThreadRecord } from './system.ts';
import { BLOCKED_AFTER_MS, VITALS } from './vitals.ts';

/** How one message of an actor is handled: from its beginning to its answer. */
export interface MessageStatus {
  readonly name: string;
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** `blocked`: it runs, but has not turned its event loop for {@link BLOCKED_AFTER_MS}. */
export type ThreadState = 'down' | 'booting' | 'starting' | 'running' | 'blocked' | 'ended';

export interface ActorStatus {
  readonly name: string;
  readonly thread: string;
  readonly state: ActorState;
  readonly incarnation: number;
  /** Messages that wait, those on their way included. */
  readonly depth: number;
  /** Messages that have begun and are not answered. */
  readonly open: number;
  readonly oldestAgeMs: number;
  readonly handled: number;
  /** Crashes. */
  readonly failed: number;
  /** Messages refused because the mailbox was full. */
  readonly refused: number;
  /** Tells that made room for newer ones. */
  readonly dropped: number;
  readonly restarts: number;
  readonly messages: readonly MessageStatus[];
  /** Empty when there was none. */
  readonly lastError: string;
}

export interface ThreadStatus {
  readonly name: string;
  readonly state: ThreadState;
  readonly restarts: number;
  /** How late timers came in the last second: the median and the longest. */
  readonly lagP50Ms: number;
  readonly lagMaxMs: number;
  readonly heapUsedBytes: number;
  /** Share of one core in the last second, 0 to 1. */
  readonly cpuShare: number;
  /** Time since it last turned its event loop. */
  readonly heartbeatAgeMs: number;
  /** Empty when it never died. */
  readonly lastError: string;
}

export interface SystemStatus {
  readonly phase: System['phase'];
  readonly threads: readonly ThreadStatus[];
  readonly actors: readonly ActorStatus[];
  /** Figures that found no place in their thread's slab. */
  readonly figuresOverflow: number;
}

function readMessages(snapshot: MetricSnapshot, actor: string): MessageStatus[] {
  const prefix = messageFigurePrefix(actor);
  const messages: MessageStatus[] = [];
  for (const [name, { count, p50Ms, p99Ms }] of snapshot.histograms)
    if (name.startsWith(prefix)) messages.push({ name: name.slice(prefix.length), count, p50Ms, p99Ms });
  return messages;
}

function actorState(actor: ActorRecord): ActorState {
  if (actor.phase === 'stopped' || actor.phase === 'waiting') return actor.phase;
  if (actor.phase === 'backing-off') return 'crashed';
  return stateOf(actor.thread.cells, actor.slot);
}

function readActor(system: System, actor: ActorRecord, own: MetricSnapshot, refused: number): ActorStatus {
  const { cells } = actor.thread;
  const prefix = actorFigurePrefix(actor.name);
  // The cells of a dead thread say what was, not what is.
  const isThere = actor.thread.process !== null;
  return {
    name: actor.name,
    thread: actor.thread.name,
    state: actorState(actor),
    incarnation: actor.incarnation,
    depth: isThere ? depthOf(cells, actor.slot) : 0,
    open: isThere ? openOf(cells, actor.slot) : 0,
    oldestAgeMs: isThere ? oldestAgeMs(cells, actor.slot, system.clock) : 0,
    handled: own.counters.get(`${prefix}handled`) ?? 0,
    failed: own.counters.get(`${prefix}failed`) ?? 0,
    refused,
    dropped: own.counters.get(`${prefix}dropped`) ?? 0,
    restarts: actor.restarts,
    messages: readMessages(own, actor.name),
    lastError: own.texts.get(`${prefix}last-error`) ?? '',
  };
}

function threadState(system: System, thread: ThreadRecord): ThreadState {
  if (thread.phase !== 'up') return thread.phase;
  if (heartbeatAgeMs(thread.cells, system.clock) > BLOCKED_AFTER_MS) return 'blocked';
  return thread.isComplete ? 'running' : 'starting';
}

function readThread(system: System, thread: ThreadRecord, own: MetricSnapshot): ThreadStatus {
  return {
    name: thread.name,
    state: threadState(system, thread),
    restarts: thread.restarts,
    lagP50Ms: own.gauges.get(VITALS.lagP50Ms) ?? 0,
    lagMaxMs: own.gauges.get(VITALS.lagMaxMs) ?? 0,
    heapUsedBytes: own.gauges.get(VITALS.heapUsedBytes) ?? 0,
    cpuShare: own.gauges.get(VITALS.cpuShare) ?? 0,
    heartbeatAgeMs: thread.process === null ? 0 : heartbeatAgeMs(thread.cells, system.clock),
    lastError: thread.lastError ?? '',
  };
}

/** Reads the state of everything from the supervisor's records and shared memory. */
export function readStatus(system: System): SystemStatus {
  const snapshots = new Map(system.threads.map((thread) => [thread, readMetricSlabs([thread.metrics])]));
  const empty = readMetricSlabs([]);
  const ofThread = (thread: ThreadRecord): MetricSnapshot => snapshots.get(thread) ?? empty;
  const refused = (actor: string): number => {
    // Who finds a mailbox full counts it, so this figure stands with the senders.
    let sum = 0;
    for (const snapshot of snapshots.values())
      sum += snapshot.counters.get(`${actorFigurePrefix(actor)}refused`) ?? 0;
    return sum;
  };
  return {
    phase: system.phase,
    threads: system.threads.map((thread) => readThread(system, thread, ofThread(thread))),
    actors: system.actors.map((actor) =>
      readActor(system, actor, ofThread(actor.thread), refused(actor.name)),
    ),
    figuresOverflow: [...snapshots.values()].reduce((sum, snapshot) => sum + snapshot.overflow, 0),
  };
}
