import type { Milliseconds } from '../../src/kit/clock.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import { HEARTBEAT_MS, heartbeatAgeMs, oldestAgeMs } from './mailbox-cells.ts';
import type { Restarts } from './restarts.ts';
import { MAIN_THREAD } from './supervision-tree.ts';
import type { ActorRecord, System, ThreadRecord } from './system.ts';

/** How long a message may wait. */
export interface WatchdogLimits {
  /** From here on it is logged, once per episode, and counted. */
  readonly warnAfterMs: Milliseconds;
  /** From here on the thread of the actor is restarted. */
  readonly restartAfterMs: Milliseconds;
  /** How often it looks. */
  readonly intervalMs: Milliseconds;
}

export const WATCHDOG_DEFAULTS: WatchdogLimits = {
  warnAfterMs: 5_000,
  restartAfterMs: 60_000,
  intervalMs: 1_000,
};

export interface WatchdogHost {
  readonly system: System;
  readonly limits: WatchdogLimits | null;
  readonly metrics: Metrics;
  readonly restarts: Restarts;
}

/** Something whose oldest message waits too long. */
interface Suspect {
  readonly name: string;
  /** The thread that it lives on. */
  readonly thread: ThreadRecord;
  readonly ageMs: Milliseconds;
  restart(reason: string): void;
}

function actorSuspect(host: WatchdogHost, actor: ActorRecord): Suspect {
  const { thread } = actor;
  return {
    name: actor.name,
    thread,
    ageMs: oldestAgeMs(thread.cells, actor.slot, host.system.clock),
    restart(reason) {
      // The main thread is not blocked, or nobody would see this: there the end of the actor alone is possible, and enough.
      if (thread.name === MAIN_THREAD) host.restarts.failActor(actor, reason);
      else host.restarts.restartThread(thread, reason);
    },
  };
}

/** The heartbeat is the message that every thread sends to itself: it waits, once it is due, while the thread is blocked. */
function threadSuspect(host: WatchdogHost, thread: ThreadRecord): Suspect {
  return {
    name: `thread ${thread.name}`,
    thread,
    ageMs: heartbeatAgeMs(thread.cells, host.system.clock) - HEARTBEAT_MS,
    restart: (reason) => host.restarts.restartThread(thread, reason),
  };
}

function suspects(host: WatchdogHost): Suspect[] {
  const found: Suspect[] = [];
  for (const thread of host.system.threads) {
    if (thread.phase !== 'up') continue;
    found.push(threadSuspect(host, thread));
    for (const actor of thread.actors)
      // What waits for an actor that is not there waits for the supervisor, not for the actor.
      if (actor.phase === 'running' || actor.phase === 'starting') found.push(actorSuspect(host, actor));
  }
  return found;
}

/** Everything that is not as it should be at this moment, by name: the watchdog or the supervisor is about to mend it. */
function ailing(host: WatchdogHost, limits: WatchdogLimits): string[] {
  const late = suspects(host).filter(({ ageMs }) => ageMs >= limits.restartAfterMs);
  const threads = host.system.threads.filter((thread) => !thread.isComplete);
  const actors = host.system.actors.filter((actor) => actor.phase !== 'running');
  return [
    ...late.map(({ name }) => name),
    ...threads.map(({ name }) => `thread ${name}`),
    ...actors.map(({ name }) => name),
  ];
}

/** A watchdog at work. */
export interface Watchdog {
  /** What it has seen ailing all along for longer than its second limit: nobody has been able to mend it. */
  beyondRepair(): readonly string[];
  stop(): void;
}

/**
 * Looks at how long the oldest message of each actor waits: a process that is alive but does no work shows itself there.
 */
export function startWatchdog(host: WatchdogHost): Watchdog {
  const { limits, system, metrics } = host;
  if (limits === null) return { beyondRepair: () => [], stop: () => undefined };
  const { clock, log } = system;
  const warned = metrics.counter('watchdog.warned');
  const restarted = metrics.counter('watchdog.restarted');
  const episodes = new Set<string>();
  const actedAt = new Map<string, Milliseconds>();
  const ailingSince = new Map<string, Milliseconds>();

  const warn = ({ name, ageMs }: Suspect): void => {
    if (episodes.has(name)) return;
    episodes.add(name);
    warned.add();
    log.warn('a message waits too long', { waitsFor: name, ageMs: Math.round(ageMs) });
  };
  /** What a restarted actor still has to work off is old: it gets its time before it is looked at again. */
  const restart = (suspect: Suspect): void => {
    const { name, thread, ageMs } = suspect;
    const now = clock.monotonic();
    if (thread.endedBecause !== null || now - (actedAt.get(name) ?? -Infinity) < limits.restartAfterMs)
      return;
    actedAt.set(name, now);
    restarted.add();
    suspect.restart(`a message for ${name} waited ${Math.round(ageMs)} ms`);
  };
  const noteAiling = (): void => {
    const now = clock.monotonic();
    const names = new Set(ailing(host, limits));
    for (const name of ailingSince.keys()) if (!names.has(name)) ailingSince.delete(name);
    for (const name of names) if (!ailingSince.has(name)) ailingSince.set(name, now);
  };
  const look = (): void => {
    for (const suspect of suspects(host)) {
      if (suspect.ageMs >= limits.warnAfterMs) warn(suspect);
      else episodes.delete(suspect.name);
      if (suspect.ageMs >= limits.restartAfterMs) restart(suspect);
    }
    noteAiling();
    timer = clock.after(limits.intervalMs, look);
  };
  let timer = clock.after(limits.intervalMs, look);
  return {
    beyondRepair() {
      const before = clock.monotonic() - limits.restartAfterMs;
      return [...ailingSince].filter(([, since]) => since <= before).map(([name]) => name);
    },
    stop: () => clock.cancel(timer),
  };
}
