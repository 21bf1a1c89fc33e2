/** `writer` reserves and completes, `follower` is told. Nobody does both for one stream. */
export type PositionRole = 'writer' | 'follower';

/** How many positions may be reserved and not complete at one moment. */
export const UNFINISHED_POSITIONS_MAX = 100_000;

/** Knows up to where everything is complete. */
export interface PositionTracker {
  /** The highest position that is complete together with all before it. */
  current(): number;
  /**
   * Takes the next `count` positions, ascending.
   *
   * @throws for a follower: only the writer allocates
   */
  reserve(count?: number): readonly number[];
  /**
   * The work at `position` is over: committed or rolled back, which is the same here.
   *
   * @returns the new {@link PositionTracker.current}
   * @throws for a position that is not reserved
   */
  complete(position: number): number;
  /**
   * Moves to `position`; a lower one (a negative one of history too) changes nothing.
   *
   * @returns the new {@link PositionTracker.current}
   * @throws for the writer: what it has not completed must not be jumped over
   */
  advance(position: number): number;
}

/**
 * Makes a tracker.
 *
 * @param options `start` is the position up to which everything is complete already
 */
export function createPositionTracker(options: {
  readonly stream: string;
  readonly role: PositionRole;
  readonly start: number;
}): PositionTracker {
  const { stream, role } = options;
  let current = options.start;
  let reserved = options.start;
  const completed = new Set<number>();
  const insist = (wanted: PositionRole, verb: string): void => {
    if (role !== wanted) throw new Error(`${verb} on the ${role} of ${stream}`);
  };
  return {
    current: () => current,
    reserve(count = 1) {
      insist('writer', 'reserve');
      if (reserved + count - current > UNFINISHED_POSITIONS_MAX)
        throw new Error(`more than ${UNFINISHED_POSITIONS_MAX} unfinished positions of ${stream}`);
      return Array.from({ length: count }, () => (reserved += 1));
    },
    complete(position) {
      insist('writer', 'complete');
      if (position <= current || position > reserved || completed.has(position))
        throw new Error(`position ${position} of ${stream} is not unfinished`);
      completed.add(position);
      while (completed.delete(current + 1)) current += 1;
      return current;
    },
    advance(position) {
      insist('follower', 'advance');
      if (position > current) current = position;
      return current;
    },
  };
}
