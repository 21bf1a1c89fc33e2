/** Requests to servers that took the last one, at one moment. */
export const SENDS_AT_ONCE_MAX = 200;
/** Requests to servers that did not, at one moment: those that do not answer keep nobody else waiting. */
export const PROBES_AT_ONCE_MAX = 50;

/** A bound on how many do something at one moment; the others wait in their order. */
export interface Lane {
  /** Resolves when there is room, with what gives it back. */
  enter(): Promise<() => void>;
}

/** Makes a lane of so many. */
export function createLane(width: number): Lane {
  const waiting: (() => void)[] = [];
  let taken = 0;
  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) taken -= 1;
    else next();
  }
  return {
    async enter() {
      if (taken < width) taken += 1;
      else
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      return leave;
    },
  };
}
