import type { Scheduler } from './scheduler.ts';

/**
 * Messages that a thread handles before it gives the event loop a turn, so that actors that keep each other busy do not keep
 * sockets, ports and timers waiting.
 */
export const MESSAGES_PER_TURN_MAX = 512;

/** The turns of one thread: when its actors work, and when what they sent leaves. */
export interface Turn {
  /** Runs `work` soon, or in the next turn when this one has done its share. */
  schedule(work: () => void): void;
  /** Counts one message. Gives false when this turn has done its share. */
  spend(): boolean;
  /** Makes `flush` run at the end of this turn. */
  needFlush(): void;
}

/**
 * @param flush sends what was gathered for other threads; called at most once per turn
 */
export function createTurn(scheduler: Scheduler, flush: () => void): Turn {
  let spent = 0;
  let isEndBooked = false;

  const end = (): void => {
    isEndBooked = false;
    spent = 0;
    flush();
  };
  const bookEnd = (): void => {
    if (isEndBooked) return;
    isEndBooked = true;
    scheduler.nextTurn(end);
  };
  return {
    schedule(work) {
      if (spent < MESSAGES_PER_TURN_MAX) scheduler.soon(work);
      else scheduler.nextTurn(work);
    },
    spend() {
      bookEnd();
      spent += 1;
      return spent < MESSAGES_PER_TURN_MAX;
    },
    needFlush: bookEnd,
  };
}
