import type { ReadDb } from '../../db/kit/read-db.ts';
import { countEntriesUpTo } from '../../db/rooms/auth-chain-reader.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { loadAndResolve } from '../../src/state-resolution/load-and-resolve.ts';
import { type ActorRef, AskFailed } from '../kit/ref.ts';
import type { PoolProtocol, ResolutionTask, ResolvedStates } from '../pool/protocol.ts';

/**
 * States with no more entries than this, all together, are resolved where the room is; larger ones on the pool. Measured so that the
 * thread of the rooms is held for less than 10 ms.
 */
export const INLINE_ENTRIES_MAX = 400;
/** A resolution that turns out to need more events than this, auth chains included, goes to the pool after all. */
export const INLINE_EVENTS_MAX = 500;
/** How long a resolution on the pool is waited for, its time in the queue included. */
export const RESOLUTION_DEADLINE_MS = 120_000;
/** When to try again after the pool did not answer. */
const RETRY_AFTER_MS = 2_000;

/** What a resolver works with. */
export interface ResolverParts {
  readonly db: ReadDb;
  /** The file behind `db`: threads of the pool open it themselves. */
  readonly databasePath: string;
  readonly pool: Pick<ActorRef<PoolProtocol>, 'ask'>;
}

/** Resolves states of rooms. */
export interface Resolver {
  /**
   * Resolves the states of a room's branches: at once when they are small, on the pool otherwise, so that other rooms go on meanwhile.
   * What the branches' groups and changes name is committed, or stands in `unstored`.
   *
   * @returns refused with M_LIMIT_EXCEEDED when too much waits for the pool, M_UNKNOWN when the pool gave no answer (503) or could not
   * resolve them (500)
   * @throws Error when a state names an event that is neither stored nor in `unstored`
   */
  resolve(task: Omit<ResolutionTask, 'databasePath'>): Promise<ResolvedStates | Refusal>;
}

async function isSmall(db: ReadDb, task: Omit<ResolutionTask, 'databasePath'>): Promise<boolean> {
  const groups = new Set(task.branches.map(({ stateGroup }) => stateGroup));
  if (task.comparedWith !== null) groups.add(task.comparedWith);
  let entries = task.branches.reduce((sum, { changes }) => sum + changes.length, 0);
  for (const stateGroup of groups) {
    if (entries > INLINE_ENTRIES_MAX) return false;
    entries += await countEntriesUpTo(db, stateGroup, INLINE_ENTRIES_MAX + 1);
  }
  return entries <= INLINE_ENTRIES_MAX;
}

/** Makes the resolver of the owner of rooms. */
export function createResolver({ db, databasePath, pool }: ResolverParts): Resolver {
  return {
    async resolve(task) {
      if (await isSmall(db, task)) {
        const resolved = await loadAndResolve(db, task, { eventsMax: INLINE_EVENTS_MAX });
        if (resolved !== undefined) return resolved;
      }
      try {
        const options = { deadlineMs: RESOLUTION_DEADLINE_MS };
        return await pool.ask('pool.resolve-state', { ...task, databasePath }, options);
      } catch (error) {
        if (!(error instanceof AskFailed)) throw error;
        return refuse('M_UNKNOWN', `the state of ${task.roomId} could not be resolved now: ${error.reason}`, {
          status: 503,
          extra: { retry_after_ms: RETRY_AFTER_MS },
        });
      }
    },
  };
}
