import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { pruneSticky } from '../../db/rooms/sticky-writer.ts';
import { pruneTransactions } from '../../db/rooms/writer.ts';
import type { Clock } from '../../src/kit/clock.ts';

/** How long a transaction is remembered. Client-Server API v1.19 wants it long enough for retries after the network was away. */
export const TRANSACTION_AGE_MAX_MS = 24 * 60 * 60 * 1000;
/** How often old rows are looked for. */
export const PRUNE_INTERVAL_MS = 10 * 60 * 1000;
/** Rows that one write looks at, so that it is short. */
export const PRUNE_BATCH_MAX = 500;
/** The pause between two writes while there are more. */
export const PRUNE_PAUSE_MS = 250;

export interface PruningOptions {
  readonly clock: Clock;
  /** Ends the pruning. */
  readonly ended: AbortSignal;
  /** A write that advances no stream. */
  readonly write: (steps: readonly WriteStep[]) => Promise<WriteOutcome>;
  /** Takes a failure that is a defect. */
  readonly crash: (error: unknown) => void;
}

/** What deletes at most {@link PRUNE_BATCH_MAX} old rows: its first step gives them back. */
export type PruneSlice = (now: number) => readonly WriteStep[];

/** Forgets old transactions. */
export const pruneTransactionSlice: PruneSlice = (now) =>
  pruneTransactions(PRUNE_BATCH_MAX, now - TRANSACTION_AGE_MAX_MS);

/** Forgets which events were sticky. */
export const pruneStickySlice: PruneSlice = (now) => pruneSticky(PRUNE_BATCH_MAX, now);

/** Forgets old rows, a few at a time, for as long as the actor lives. Storage that cannot be written is tried again later. */
export function startPruning(options: PruningOptions, slice: PruneSlice): void {
  const { clock, ended, write } = options;
  const prune = async (): Promise<void> => {
    const outcome = await write(slice(clock.now()));
    const deleted = outcome.kind === 'committed' ? (outcome.returned[0]?.length ?? 0) : 0;
    schedule(deleted === PRUNE_BATCH_MAX ? PRUNE_PAUSE_MS : PRUNE_INTERVAL_MS);
  };
  const schedule = (delayMs: number): void => {
    if (ended.aborted) return;
    const timer = clock.after(delayMs, () => void prune().catch(options.crash));
    ended.addEventListener('abort', () => clock.cancel(timer), { once: true });
  };
  schedule(PRUNE_INTERVAL_MS);
}
