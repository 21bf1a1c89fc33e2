import { findLeftover } from '../../db/key-backup/reader.ts';
import { sweepLeftover } from '../../db/key-backup/writer.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';

/** Keys that one write deletes. */
export const SWEPT_PER_WRITE_MAX = 2_000;
/** When the sweeping goes on after storage could not be written, in milliseconds. */
export const SWEEP_RETRY_MS = 60_000;

/**
 * Deletes keys that belong to no version any more, in slices, so that nobody waits long behind a large backup that goes.
 *
 * @returns a function that begins, unless it is at it already
 */
export function createSweeper(context: TroupeContext): () => void {
  let isSweeping = false;

  async function sweep(): Promise<void> {
    while (!context.ended.aborted) {
      // Each slice depends on what the one before it has left.
      const backupNid = await findLeftover(context.env.db);
      if (backupNid === undefined) return;
      const outcome = await commit(context, sweepLeftover(backupNid, SWEPT_PER_WRITE_MAX));
      if (outcome.kind === 'refused') throw new Error(`sweeping has no guard, yet ${outcome.refusal}`);
      if (outcome.kind === 'unavailable') {
        context.clock.after(SWEEP_RETRY_MS, begin);
        return;
      }
    }
  }

  function begin(): void {
    if (isSweeping || context.ended.aborted) return;
    isSweeping = true;
    sweep()
      .finally(() => (isSweeping = false))
      .catch((error: unknown) => {
        // A stop takes the committer away as well: what is left then is left to the next life.
        if (!context.ended.aborted) context.crash(error);
      });
  }

  return begin;
}
