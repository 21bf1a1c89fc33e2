import type { Batch, Link } from '../../actors/kit/link.ts';
import type { Scheduler } from '../../actors/kit/scheduler.ts';
import type { Thread, ThreadOptions } from '../../actors/kit/thread.ts';
import { createThread } from '../../actors/kit/thread.ts';
import type { ThreadEvents, ThreadPlatform, ThreadReport } from '../../actors/kit/thread-control.ts';
import type { Clock, Milliseconds, Timer } from '../../src/kit/clock.ts';
import type { Random } from '../../src/kit/random.ts';
import type { Lane, Loop } from './loop.ts';

/** One life of a simulated thread. */
export interface ThreadLife {
  readonly name: string;
  readonly clock: Clock;
  /** What happens on it in the next turns of its event loop. */
  readonly turns: Lane;
  readonly isAlive: boolean;
  /** Called at its death, before its actors end: what it had open is to be given up. */
  onDeath(action: () => void): void;
}

/** What a life works with; `close` ends it. */
export type LifeOptions<Map, Env> = Omit<
  ThreadOptions<Map, Env>,
  'boot' | 'scheduler' | 'openLink' | 'report' | 'clock'
>;

/** Threads that are none, joined by links on which a seed decides what arrives when. */
export interface SimulatedPlatform extends ThreadPlatform {
  /** The thread dies where it stands. Nothing happens when it is dead already. */
  kill(thread: string): void;
  /** It does nothing and hears nothing for a while. */
  stall(thread: string, lengthMs: Milliseconds): void;
  /** A link delivers nothing for a while, in one direction. */
  stallLink(index: number, lengthMs: Milliseconds): void;
  readonly links: number;
  isAlive(thread: string): boolean;
  /** Asks of living threads that are not answered. */
  pendingAsks(): number;
  /** The scheduler of the main thread, and what it makes of a link's end. */
  readonly main: Scheduler;
  openLink(end: unknown): Link;
}

interface SimulatedLink extends Link {
  /** The thread of this end dies: of what it sent, a part may still arrive. */
  sever(): void;
  readonly arrivals: Lane;
}

interface Living<Map> {
  readonly life: ThreadLife;
  readonly lanes: Set<Lane>;
  readonly links: Set<SimulatedLink>;
  thread: Thread<Map> | null;
  heldUntil: Milliseconds;
  die(error: string | undefined): void;
}

interface End {
  readonly arrivals: Lane;
  /** What came before the end was opened. */
  readonly early: (() => void)[];
  receive: ((batch: Batch) => void) | null;
  closed: () => void;
  isOpen: boolean;
}

function makeEnd(arrivals: Lane): End {
  return { arrivals, early: [], receive: null, closed: () => undefined, isOpen: true };
}

function arrive(end: End, action: () => void): void {
  if (!end.isOpen) return;
  const guarded = (): void => {
    if (end.isOpen) action();
  };
  if (end.receive === null) end.early.push(guarded);
  else end.arrivals.push(guarded);
}

function hangUp(end: End): void {
  arrive(end, () => {
    end.isOpen = false;
    end.arrivals.end();
    end.closed();
  });
}

function leave(end: End): void {
  end.isOpen = false;
  end.arrivals.end();
}

function linkOf(own: End, other: End, random: Random): SimulatedLink {
  return {
    arrivals: own.arrivals,
    post(batch) {
      const clone = structuredClone(batch);
      if (own.isOpen) arrive(other, () => other.receive?.(clone));
    },
    open(receive, closed) {
      own.receive = receive;
      own.closed = closed;
      for (const action of own.early.splice(0)) own.arrivals.push(action);
    },
    close() {
      if (!own.isOpen) return;
      leave(own);
      hangUp(other);
    },
    sever() {
      if (!own.isOpen) return;
      leave(own);
      other.arrivals.take(random.integer(other.arrivals.length + 1));
      hangUp(other);
    },
  };
}

/** The clock of one life: its timers end with it, and wait while it is stalled. */
function createLifeClock(clock: Clock, isAlive: () => boolean, heldUntil: () => Milliseconds): Clock {
  interface LifeTimer extends Timer {
    current: Timer;
  }
  const arm = (timer: LifeTimer, action: () => void): void => {
    const waitMs = heldUntil() - clock.now();
    if (waitMs > 0) timer.current = clock.after(waitMs, () => arm(timer, action));
    else if (isAlive()) action();
  };
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after(delayMs, action) {
      const timer: LifeTimer = { dueAt: clock.now() + delayMs, current: { dueAt: 0 } };
      timer.current = clock.after(delayMs, () => arm(timer, action));
      return timer;
    },
    cancel: (timer) => clock.cancel((timer as LifeTimer).current),
  };
}

function createLaneScheduler(turns: Lane, isAlive: () => boolean): Scheduler {
  const guard = (action: () => void) => (): void => {
    if (isAlive()) action();
  };
  return {
    soon: (action) => queueMicrotask(guard(action)),
    nextTurn: (action) => turns.push(guard(action)),
  };
}

export interface PlatformOptions<Map, Env> {
  readonly loop: Loop;
  readonly random: Random;
  /** What a life works with; called for each life, before its actors exist. */
  openLife(life: ThreadLife): LifeOptions<Map, Env>;
}

/** Makes a platform without threads. */
export function createSimulatedPlatform<Map, Env>(options: PlatformOptions<Map, Env>): SimulatedPlatform {
  const { loop, random } = options;
  const living = new Map<string, Living<Map>>();
  const mainTurns = loop.lane('turns main');
  const names: string[] = [];
  let links: SimulatedLink[] = [];

  const spawn: ThreadPlatform['spawn'] = (boot, events: ThreadEvents) => {
    names.splice(0, names.length, ...boot.directory.threads);
    const name = names[boot.thread] ?? '';
    const [turns, commands] = [loop.lane(`turns ${name}`), loop.lane(`commands ${name}`)];
    // What it reports outlives it.
    const reports = loop.lane(`reports ${name}`);
    const deaths: (() => void)[] = [];
    let isAlive = true;
    const life: ThreadLife = {
      name,
      clock: createLifeClock(
        loop.clock,
        () => isAlive,
        () => own.heldUntil,
      ),
      turns,
      get isAlive() {
        return isAlive;
      },
      onDeath: (action) => void deaths.push(action),
    };
    const own: Living<Map> = {
      life,
      lanes: new Set([turns, commands]),
      links: new Set(),
      thread: null,
      heldUntil: 0,
      die(error) {
        if (!isAlive) return;
        isAlive = false;
        if (living.get(name) === own) living.delete(name);
        for (const action of deaths) action();
        for (const link of own.links) link.sever();
        own.thread?.halt();
        for (const lane of own.lanes) lane.end();
        reports.push(() => {
          reports.end();
          events.exited(error);
        });
      },
    };
    living.set(name, own);
    commands.push(() => {
      own.thread = createThread<Map, Env>({
        ...options.openLife(life),
        clock: life.clock,
        boot,
        scheduler: createLaneScheduler(turns, () => isAlive),
        openLink(end) {
          const link = end as SimulatedLink;
          own.links.add(link);
          own.lanes.add(link.arrivals);
          link.arrivals.holdUntil(own.heldUntil);
          return link;
        },
        report: (report: ThreadReport) => reports.push(() => events.report(report)),
      });
    });
    return {
      post(command) {
        commands.push(() => {
          if (command.kind !== 'exit') return own.thread?.command(command);
          own.thread?.halt();
          return own.die(undefined);
        });
      },
      terminate: () => own.die('terminated'),
    };
  };

  return {
    spawn,
    connect(a, b) {
      const nameOf = (thread: number): string => names[thread] ?? `thread ${thread}`;
      const [first, second] = [
        makeEnd(loop.lane(`${nameOf(b)}>${nameOf(a)}`)),
        makeEnd(loop.lane(`${nameOf(a)}>${nameOf(b)}`)),
      ];
      const pair = [linkOf(first, second, random), linkOf(second, first, random)] as const;
      links = [...links, ...pair];
      return pair;
    },
    keepAlive: () => () => undefined,
    kill: (name) => living.get(name)?.die('killed by the simulation'),
    stall(name, lengthMs) {
      const thread = living.get(name);
      if (thread === undefined) return;
      thread.heldUntil = loop.clock.now() + lengthMs;
      for (const lane of thread.lanes) lane.holdUntil(thread.heldUntil);
    },
    stallLink: (index, lengthMs) => links[index]?.arrivals.holdUntil(loop.clock.now() + lengthMs),
    get links() {
      return links.length;
    },
    isAlive: (name) => living.has(name),
    pendingAsks: () => [...living.values()].reduce((sum, { thread }) => sum + (thread?.pendingAsks ?? 0), 0),
    main: createLaneScheduler(mainTurns, () => true),
    openLink: (end) => end as Link,
  };
}
