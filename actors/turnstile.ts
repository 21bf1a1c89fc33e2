/** Lets so many through at once; the others wait, up to a limit. */
export interface Turnstile {
  /** How many wait. */
  readonly waiting: number;
  /** Runs the work when there is room; undefined when too many wait already. */
  pass<Result>(work: () => Promise<Result>): Promise<Result | undefined>;
}

/** Makes one that nobody has gone through. */
export function createTurnstile(insideMax: number, waitingMax: number): Turnstile {
  const queue: (() => void)[] = [];
  let inside = 0;
  const leave = (): void => {
    const next = queue.shift();
    if (next === undefined) inside -= 1;
    else next();
  };
  return {
    get waiting() {
      return queue.length;
    },
    async pass(work) {
      if (inside < insideMax) inside += 1;
      else if (queue.length >= waitingMax) return undefined;
      else await new Promise<void>((resolve) => queue.push(resolve));
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
