import { LRUCache } from 'lru-cache';
import { readReached } from '../../db/federation-sender/branch-reader.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';

/** Events of which it is remembered what they lead back to: the same ones wait for all servers of a room. */
const REMEMBERED_MAX = 200;

/** What waits of one room for one server. Positions on the events stream. */
export interface WaitingBranches {
  /** Noted already. */
  readonly noted: readonly number[];
  readonly fresh: readonly number[];
}

/** Finds the ends of the branches among events that wait. */
export interface Branches {
  /** Gives the events that another one that waits leads back to: whoever gets that one can ask for them. In doubt an event is none of them. */
  findCovered(waiting: WaitingBranches): Promise<ReadonlySet<number>>;
}

interface Walked {
  readonly oldest: number;
  readonly reached: ReadonlySet<number>;
}

/**
 * Makes what finds them. An event counts as led back to only where a walk along `prev_events` over what is stored has come to it: the newest
 * event of a room need not lead back to the others. One that came through this server follows what its own has chosen; a join through another server
 * follows nothing that this one said before; an event names twenty others at most; what soft-failed is followed by nothing.
 */
export function createBranches(db: ReadDb): Branches {
  const walked = new LRUCache<number, Walked>({ max: REMEMBERED_MAX });

  async function reachedFrom(from: number, oldest: number): Promise<ReadonlySet<number>> {
    const known = walked.get(from);
    if (known !== undefined && known.oldest <= oldest) return known.reached;
    const reached = await readReached(db, { from, oldest });
    walked.set(from, { oldest, reached });
    return reached;
  }

  return {
    async findCovered({ noted, fresh }) {
      const covered = new Set<number>();
      const all = [...new Set([...noted, ...fresh])].toSorted((one, other) => other - one);
      const oldest = all.at(-1);
      if (oldest === undefined || all.length === 1) return covered;
      const begins = new Set(fresh);
      // The newest first: it leads back to most. What is noted was looked at when it was fresh.
      for (const from of all) {
        if (covered.has(from) || !begins.has(from)) continue;
        if (!all.some((other) => other < from && !covered.has(other))) continue;
        const reached = await reachedFrom(from, oldest);
        for (const other of all) if (other !== from && reached.has(other)) covered.add(other);
      }
      return covered;
    },
  };
}
