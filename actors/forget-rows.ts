import type { WriteStep } from '../db/kit/write-set.ts';
import type { Fact } from '../src/streams/fact.ts';
import type { Refusal } from '../src/matrix/refusal.ts';
import { commit } from './commit.ts';
import type { TroupeContext } from './environment.ts';
import type { Forgotten } from './rooms/protocol.ts';
import { unavailableRefusal } from './unavailable-refusal.ts';

/** Rows of one owner that go in one write. */
export const FORGOTTEN_ROWS_MAX = 500;

/** What a step gives of a row that it deletes. */
export interface ForgottenRow {
  readonly freedBytes: number;
  /** Whose it was; empty where that makes no difference. */
  readonly userId?: string;
  /** Of account data. */
  readonly type?: string;
  /** Of what holds of one room, and there of one thread. */
  readonly roomId?: string;
  readonly rootId?: string;
}

/**
 * Deletes rows of an owner that belong to a deleted room, and tells the caches.
 *
 * @param steps give one row for each row that they delete; of the first, at most {@link FORGOTTEN_ROWS_MAX}
 * @param factOf what a deleted row makes untrue
 */
export async function forgetRows(
  context: Pick<TroupeContext, 'name' | 'ref' | 'env'>,
  steps: readonly WriteStep[],
  factOf: (row: ForgottenRow) => Fact | null,
): Promise<Forgotten | Refusal> {
  const outcome = await commit(context, steps);
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') throw new Error(`forgetting has no guard, yet ${outcome.refusal}`);
  const rows = (outcome.returned[0] ?? []) as readonly ForgottenRow[];
  const facts = rows.map(factOf).filter((fact) => fact !== null);
  if (facts.length > 0) context.ref('caches').tell('caches.invalidate', { facts });
  const freedBytes = rows.reduce((sum, row) => sum + row.freedBytes, 0);
  return { kind: 'forgotten', freedBytes, isMore: rows.length === FORGOTTEN_ROWS_MAX };
}
