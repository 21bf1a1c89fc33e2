import type { WriteOutcome, WriteSet } from '../../db/kit/write-set.ts';
import type { Ask } from '../kit/protocol.ts';

/** A write set whose statements are defective: nothing was written, and its owner crashes. */
export interface WriteDefect {
  readonly kind: 'defect';
  readonly detail: string;
}

export type CommitterProtocol = {
  /** Commits a write set, together with all that wait at that moment. */
  'committer.write': Ask<WriteSet, WriteOutcome | WriteDefect>;
  /**
   * The high-water mark of a stream: the start of its owner. Answered when all write sets that came before have their outcome: what an earlier life
   * of the owner has sent is counted, and stands in the database.
   */
  'committer.read-position': Ask<{ readonly stream: string }, { readonly position: number }>;
};
