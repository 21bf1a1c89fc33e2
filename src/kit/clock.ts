/** A point in time or a length of time, always in milliseconds. */
export type Milliseconds = number;

/** What a timer gives back; pass it to {@link Clock.cancel}. */
export interface Timer {
  readonly dueAt: Milliseconds;
}

/**
 * The only source of time in the server. Everything that waits or looks at the time takes a clock as an argument, so that
 * tests and the simulation can move time by hand.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch: for `origin_server_ts` and the like. */
  now(): Milliseconds;
  /**
   * A monotonic reading in milliseconds, for measuring lengths; its zero is arbitrary, but the same for all threads of the process,
   * so that a thread can tell how old another's message is.
   */
  monotonic(): Milliseconds;
  /** Calls `action` once after `delayMs`. A timer never keeps the process alive. */
  after(delayMs: Milliseconds, action: () => void): Timer;
  /** Cancels a timer; a timer that has fired or was cancelled already is ignored. */
  cancel(timer: Timer): void;
}

interface SystemTimer extends Timer {
  readonly handle: NodeJS.Timeout;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, action) {
    const handle = setTimeout(action, delayMs);
    handle.unref();
    return { dueAt: Date.now() + delayMs, handle } as SystemTimer;
  },
  cancel: (timer) => clearTimeout((timer as SystemTimer).handle),
};

/** How much longer others work than what is done behind their backs. */
const STAND_BACK_FACTOR = 9;

/**
 * Resolves after `delayMs` on the given clock.
 *
 * @param delayMs how long, in milliseconds
 */
export function sleep(clock: Clock, delayMs: Milliseconds): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/**
 * Lets others work nine times as long as a piece of work behind everybody's back has taken: such work then takes a tenth of a thread at most,
 * however much of it there is.
 *
 * @param tookMs how long the piece took, in milliseconds
 */
export async function standBack(clock: Clock, tookMs: Milliseconds): Promise<void> {
  if (tookMs > 0) await sleep(clock, tookMs * STAND_BACK_FACTOR);
}
