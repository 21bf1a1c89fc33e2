/** Lets what concerns one name happen one after the other, and what concerns others go on beside it. */
export interface Lanes {
  run<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** Makes lanes; one that nobody is in takes no room. */
export function createLanes(): Lanes {
  const last = new Map<string, Promise<unknown>>();
  return {
    async run(name, work) {
      const before = last.get(name) ?? Promise.resolve();
      const own = before.then(work, work);
      const settled = own.then(
        () => undefined,
        () => undefined,
      );
      last.set(name, settled);
      try {
        return await own;
      } finally {
        if (last.get(name) === settled) last.delete(name);
      }
    },
  };
}
