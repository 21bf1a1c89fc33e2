import type { StreamAdvance, WriteOutcome, WriteStep } from '../db/kit/write-set.ts';
import type { TroupeContext } from './environment.ts';
import { AskFailed } from './kit/ref.ts';

/**
 * Commits a write set of this actor through the committer.
 *
 * @param steps run in order, all or none
 * @param advance the stream of this actor that the set advances, if it does
 * @returns the outcome; a committer with too much to do is `unavailable` as well
 * @throws (rejection) when a statement is defective, or when the committer did not answer, so that the effect is unknown: in both
 *   cases the owner is to crash and start again from the database
 */
export async function commit(
  context: Pick<TroupeContext, 'name' | 'ref'>,
  steps: readonly WriteStep[],
  advance?: StreamAdvance,
): Promise<WriteOutcome> {
  const set = advance === undefined ? { steps } : { steps, advance };
  try {
    const answer = await context.ref('committer').ask('committer.write', { owner: context.name, ...set });
    if (answer.kind === 'defect') throw new Error(answer.detail);
    return answer;
  } catch (error) {
    if (error instanceof AskFailed && error.reason === 'mailbox-full')
      return { kind: 'unavailable', fault: 'busy', detail: error.message };
    throw error;
  }
}
