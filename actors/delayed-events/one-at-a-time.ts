/** Does the work on one thing after the other, in the order in which it is asked for; work on different things overlaps. */
export type OneAtATime = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** @returns remembers only what has work under way */
export function createOneAtATime(): OneAtATime {
  const last = new Map<string, Promise<void>>();
  const waiting = new Map<string, number>();

  async function endOf(name: string, result: Promise<unknown>): Promise<void> {
    // Whoever asked for the work hears of its failure.
    await Promise.allSettled([result]);
    waiting.set(name, (waiting.get(name) ?? 1) - 1);
    if (waiting.get(name) !== 0) return;
    waiting.delete(name);
    last.delete(name);
  }

  return (name, work) => {
    const before = last.get(name);
    const result = before === undefined ? work() : before.then(work);
    waiting.set(name, (waiting.get(name) ?? 0) + 1);
    last.set(name, endOf(name, result));
    return result;
  };
}
