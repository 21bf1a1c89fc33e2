import type { Ask } from '../kit/protocol.ts';

export type SearchProtocol = {
  /**
   * Indexes what was committed by now without waiting for the next round, and answers with the position of the events stream that the index
   * has come to: not so far when storage cannot be written. Who cannot wait for long gives a deadline: indexing goes on.
   */
  'search.index-now': Ask<null, { readonly position: number }>;
};
