/**
 * When a thread does its next piece of work. With the clock and the links it is the seam at which the simulation takes over: the kit
 * calls no `setImmediate`, `setTimeout` or `queueMicrotask` but through it and the clock.
 */
export interface Scheduler {
  /** Runs `action` when the code that runs now has ended, in order, before the event loop looks at anything else. */
  soon(action: () => void): void;
  /** Runs `action`, in order, after the event loop has had a look at sockets, ports and timers. */
  nextTurn(action: () => void): void;
}

/** The event loop of this thread. */
export const eventLoopScheduler: Scheduler = {
  soon: (action) => queueMicrotask(action),
  nextTurn: (action) => void setImmediate(action),
};
