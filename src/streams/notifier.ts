import type { Clock, Timer } from '../kit/clock.ts';
import type { Metrics } from '../kit/metrics.ts';
import type { WakeKey } from './stream.ts';
import type { Parked } from './view.ts';

/** How many long polls one thread parks at most; the next one is cancelled at once. */
export const PARKED_POLLS_MAX = 50_000;

/*
 * Figures: notifier.parked (now), notifier.keys (under which they are parked), notifier.woken, notifier.timed-out, notifier.cancelled, notifier.refused.
 */

/** Parks long polls under keys and wakes them. */
export interface Notifier {
  /** Parks under `keys` until one of them is woken, at most `timeoutMs`. */
  park(keys: readonly WakeKey[], timeoutMs: number): Parked;
  /** Wakes every poll parked under one of `keys`, once. `everyone` wakes all. */
  wake(keys: Iterable<WakeKey>): void;
  /** How many are parked. */
  size(): number;
  /** Cancels all. */
  close(): void;
}

type Outcome = 'woken' | 'timed-out' | 'cancelled';

interface Poll {
  readonly keys: readonly WakeKey[];
  readonly timer: Timer;
  readonly resolve: (outcome: Outcome) => void;
}

/** A poll that is over before it began. */
export function parkedAlready(outcome: Outcome): Parked {
  return { outcome: Promise.resolve(outcome), cancel: () => undefined };
}

/** Makes a notifier without polls. */
export function createNotifier(clock: Clock, metrics: Metrics): Notifier {
  const polls = new Set<Poll>();
  const byKey = new Map<WakeKey, Set<Poll>>();
  const parked = metrics.gauge('notifier.parked');
  const keysInUse = metrics.gauge('notifier.keys');
  const refused = metrics.counter('notifier.refused');
  const ended = {
    woken: metrics.counter('notifier.woken'),
    'timed-out': metrics.counter('notifier.timed-out'),
    cancelled: metrics.counter('notifier.cancelled'),
  };

  const end = (poll: Poll, outcome: Outcome): void => {
    if (!polls.delete(poll)) return;
    clock.cancel(poll.timer);
    for (const key of poll.keys) {
      const under = byKey.get(key);
      under?.delete(poll);
      if (under?.size === 0) byKey.delete(key);
    }
    parked.set(polls.size);
    keysInUse.set(byKey.size);
    ended[outcome].add();
    poll.resolve(outcome);
  };
  const endAll = (under: Iterable<Poll>, outcome: Outcome): void => {
    for (const poll of under) end(poll, outcome);
  };

  return {
    park(keys, timeoutMs) {
      if (timeoutMs <= 0) return parkedAlready('timed-out');
      if (polls.size >= PARKED_POLLS_MAX) {
        refused.add();
        return parkedAlready('cancelled');
      }
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      const poll: Poll = { keys, resolve, timer: clock.after(timeoutMs, () => end(poll, 'timed-out')) };
      polls.add(poll);
      for (const key of keys) {
        const under = byKey.get(key);
        if (under === undefined) byKey.set(key, new Set([poll]));
        else under.add(poll);
      }
      parked.set(polls.size);
      keysInUse.set(byKey.size);
      return { outcome: promise, cancel: () => end(poll, 'cancelled') };
    },
    wake(keys) {
      for (const key of keys) {
        if (key === 'everyone') endAll(polls, 'woken');
        else endAll(byKey.get(key) ?? [], 'woken');
      }
    },
    size: () => polls.size,
    close: () => endAll(polls, 'cancelled'),
  };
}
