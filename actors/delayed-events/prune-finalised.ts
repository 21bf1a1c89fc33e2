import { pruneFinalised } from '../../db/delayed-events/writer.ts';
import type { Timer } from '../../src/kit/clock.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';

/** How long it is remembered what became of a delayed event, in milliseconds. MSC4140, "Retention of finalised delayed events". */
export const FINALISED_AGE_MAX_MS = 7 * 24 * 60 * 60 * 1_000;
/** How often old ones are looked for. */
const PRUNE_INTERVAL_MS = 10 * 60 * 1_000;
/** Rows that one write deletes. */
const PRUNED_ROWS_MAX = 500;
/** The pause between two writes while there are more. */
const PRUNE_PAUSE_MS = 250;

/** Forgets what was finalised long ago, a little at a time, for as long as the actor lives. */
export function pruneRegularly(context: TroupeContext): void {
  const { clock } = context;
  let timer: Timer;

  async function prune(): Promise<void> {
    const outcome = await commit(
      context,
      pruneFinalised(clock.now() - FINALISED_AGE_MAX_MS, PRUNED_ROWS_MAX),
    );
    // What cannot be written now has its turn again.
    const deleted = outcome.kind === 'committed' ? (outcome.returned[0]?.length ?? 0) : 0;
    schedule(deleted === PRUNED_ROWS_MAX ? PRUNE_PAUSE_MS : PRUNE_INTERVAL_MS);
  }

  function schedule(delayMs: number): void {
    if (context.ended.aborted) return;
    timer = clock.after(delayMs, () => {
      prune().catch((error: unknown) => {
        if (!context.ended.aborted) context.crash(error);
      });
    });
  }

  schedule(0);
  context.ended.addEventListener('abort', () => clock.cancel(timer));
}
