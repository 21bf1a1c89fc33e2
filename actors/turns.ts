/** A queue for work of which only little may be under way at once. */
export interface Turns {
  /** How much waits. */
  readonly waiting: number;
  /** Does the work when its turn has come. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** @param most how much may be under way at once */
export function createTurns(most: number): Turns {
  const queue: (() => void)[] = [];
  let underWay = 0;
  return {
    get waiting() {
      return queue.length;
    },
    async run(work) {
      if (underWay >= most) await new Promise<void>((resolve) => queue.push(resolve));
      else underWay += 1;
      try {
        return await work();
      } finally {
        // The turn passes on, or is free again.
        const next = queue.shift();
        if (next === undefined) underWay -= 1;
        else next();
      }
    },
  };
}
