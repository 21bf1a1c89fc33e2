import type { Clock, Milliseconds, Timer } from '../../src/kit/clock.ts';
import type { Random } from '../../src/kit/random.ts';

/** One place where things wait in order: a direction of a link, the turns of a thread, the reads of a thread. */
export interface Lane {
  readonly name: string;
  /** Puts an action behind those that wait. */
  push(action: () => void): void;
  /** Nothing of it happens before `at`. */
  holdUntil(at: Milliseconds): void;
  /** Takes out what waits, in order, from an index on. */
  take(from?: number): readonly (() => void)[];
  readonly length: number;
  /** Takes the lane out of the loop, with what waits in it. */
  end(): void;
}

/** Everything that happens, one thing at a time, in an order that a seed decides; time passes between. */
export interface Loop {
  readonly clock: Clock;
  lane(name: string): Lane;
  /** Lets one thing happen and come to rest. False when nothing will ever happen any more. */
  step(): Promise<boolean>;
  /** Notes something that is to be the same in every run of the seed. */
  trace(text: string): void;
  /** What was noted so far, in 16 digits. */
  traceHash(): string;
  readonly steps: number;
  readonly pendingTimers: number;
}

interface SimulatedTimer extends Timer {
  readonly order: number;
  readonly action: () => void;
  isCancelled: boolean;
}

const START_MS = 1_700_000_000_000;
/** One step in so many takes time. */
const STEPS_PER_MOMENT = 3;
const MOMENT_MS_MAX = 3;

function isBefore(a: SimulatedTimer, b: SimulatedTimer): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}

/** A binary heap of timers. */
function createTimers() {
  const heap: SimulatedTimer[] = [];
  const at = (index: number): SimulatedTimer => heap[index] as SimulatedTimer;
  const swap = (a: number, b: number): void => {
    const kept = at(a);
    heap[a] = at(b);
    heap[b] = kept;
  };
  const sink = (start: number): void => {
    for (let index = start; ;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      let first = index;
      if (left < heap.length && isBefore(at(left), at(first))) first = left;
      if (right < heap.length && isBefore(at(right), at(first))) first = right;
      if (first === index) return;
      swap(index, first);
      index = first;
    }
  };
  const pop = (): void => {
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    sink(0);
  };
  return {
    size: () => heap.filter((timer) => !timer.isCancelled).length,
    push(timer: SimulatedTimer): void {
      heap.push(timer);
      for (let index = heap.length - 1; index > 0;) {
        const parent = (index - 1) >> 1;
        if (!isBefore(at(index), at(parent))) return;
        swap(index, parent);
        index = parent;
      }
    },
    pop,
    /** The first that is not cancelled; it stays. */
    first(): SimulatedTimer | undefined {
      while (heap[0]?.isCancelled === true) pop();
      return heap[0];
    },
  };
}

/** Two FNV-1a hashes side by side: enough to tell runs apart. */
function createTrace() {
  let [low, high] = [0x811c9dc5, 0x01000193];
  return {
    add(text: string): void {
      for (let index = 0; index < text.length; index += 1) {
        low = Math.imul(low ^ text.charCodeAt(index), 0x01000193);
        high = Math.imul(high ^ text.charCodeAt(index), 0x85ebca6b);
      }
    },
    hash: () => [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join(''),
  };
}

interface LoopLane extends Lane {
  readonly waiting: (() => void)[];
  notBefore: Milliseconds;
}

/** Promises that are on their way come to rest: nothing but promises is real here. */
function rest(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * Makes a loop at rest.
 *
 * @param random decides what happens next and how much time passes
 */
export function createLoop(random: Random): Loop {
  const lanes = new Set<LoopLane>();
  const timers = createTimers();
  const trace = createTrace();
  let now = START_MS;
  let orders = 0;
  let steps = 0;

  const clock: Clock = {
    now: () => now,
    monotonic: () => now - START_MS,
    after(delayMs, action) {
      orders += 1;
      const dueAt = now + Math.max(0, Math.ceil(delayMs));
      const timer: SimulatedTimer = { dueAt, order: orders, action, isCancelled: false };
      timers.push(timer);
      return timer;
    },
    cancel: (timer) => void ((timer as SimulatedTimer).isCancelled = true),
  };
  /** What may happen now; a timer that is due counts as one thing. */
  const ready = (): (LoopLane | SimulatedTimer)[] => {
    const found: (LoopLane | SimulatedTimer)[] = [];
    for (const lane of lanes) if (lane.waiting.length > 0 && lane.notBefore <= now) found.push(lane);
    const timer = timers.first();
    if (timer !== undefined && timer.dueAt <= now) found.push(timer);
    return found;
  };
  const nextMoment = (): Milliseconds => {
    let next = timers.first()?.dueAt ?? Infinity;
    for (const lane of lanes) if (lane.waiting.length > 0) next = Math.min(next, lane.notBefore);
    return next;
  };
  const lane = (name: string): Lane => {
    const waiting: (() => void)[] = [];
    const made: LoopLane = {
      name,
      waiting,
      notBefore: 0,
      push: (action) => void waiting.push(action),
      holdUntil: (at) => void (made.notBefore = Math.max(made.notBefore, at)),
      take: (from = 0) => waiting.splice(from),
      get length() {
        return waiting.length;
      },
      end() {
        waiting.length = 0;
        lanes.delete(made);
      },
    };
    lanes.add(made);
    return made;
  };

  return {
    clock,
    lane,
    async step() {
      let choices = ready();
      if (choices.length === 0) {
        const next = nextMoment();
        if (next === Infinity) return false;
        now = Math.max(now, next);
        choices = ready();
      } else if (random.integer(STEPS_PER_MOMENT) === 0) now += 1 + random.integer(MOMENT_MS_MAX);
      const chosen = choices[random.integer(choices.length)];
      if (chosen === undefined) return true;
      steps += 1;
      if ('order' in chosen) {
        timers.pop();
        trace.add(`timer ${chosen.dueAt}`);
        chosen.action();
      } else {
        trace.add(`${chosen.name} ${now}`);
        chosen.waiting.shift()?.();
      }
      await rest();
      return true;
    },
    trace: (text) => trace.add(text),
    traceHash: () => trace.hash(),
    get steps() {
      return steps;
    },
    get pendingTimers() {
      return timers.size();
    },
  };
}
