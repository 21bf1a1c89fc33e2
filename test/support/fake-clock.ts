import type { Clock, Milliseconds, Timer } from '../../src/kit/clock.ts';

/** A clock that a test moves by hand. Nothing passes on it but what `advance` lets pass. */
export interface FakeClock extends Clock {
  /**
   * Lets `lengthMs` pass: runs the timers that fall due, in order of their time, each at its own time, and lets what each sets
   * off (promises, messages between actors of this thread) come to rest before the next.
   */
  advance(lengthMs: Milliseconds): Promise<void>;
  /** Lets what is already under way come to rest without letting time pass. */
  settle(): Promise<void>;
  /** How many timers wait. */
  readonly pendingTimers: number;
}

/** Turns of the event loop that `settle` gives: enough for a message to some threads in turn, and the answers. */
const SETTLE_TURNS = 12;

interface FakeTimer extends Timer {
  readonly order: number;
  readonly action: () => void;
}

function settleTurns(): Promise<void> {
  return new Promise((resolve) => {
    let turns = 0;
    const next = (): void => {
      turns += 1;
      if (turns > SETTLE_TURNS) resolve();
      else setImmediate(next);
    };
    next();
  });
}

/**
 * Makes a clock that stands still.
 *
 * @param startAt its first `now()`, in milliseconds since the Unix epoch
 */
export function createFakeClock(startAt: Milliseconds = 1_700_000_000_000): FakeClock {
  let now = startAt;
  let orders = 0;
  const timers = new Set<FakeTimer>();

  const nextDue = (until: Milliseconds): FakeTimer | undefined => {
    let first: FakeTimer | undefined;
    for (const timer of timers) {
      if (timer.dueAt > until) continue;
      if (
        first === undefined ||
        timer.dueAt < first.dueAt ||
        (timer.dueAt === first.dueAt && timer.order < first.order)
      )
        first = timer;
    }
    return first;
  };

  return {
    now: () => now,
    monotonic: () => now - startAt,
    after(delayMs, action) {
      orders += 1;
      const timer: FakeTimer = { dueAt: now + Math.max(0, delayMs), order: orders, action };
      timers.add(timer);
      return timer;
    },
    cancel: (timer) => void timers.delete(timer as FakeTimer),
    async advance(lengthMs) {
      const until = now + lengthMs;
      await settleTurns();
      for (let timer = nextDue(until); timer !== undefined; timer = nextDue(until)) {
        timers.delete(timer);
        now = Math.max(now, timer.dueAt);
        timer.action();
        // Each timer is to see what the one before it set off.
        await settleTurns();
      }
      now = until;
      await settleTurns();
    },
    settle: settleTurns,
    get pendingTimers() {
      return timers.size;
    },
  };
}
