import type { SeatOptions } from './seat.ts';
import type { Verdict } from './verdict.ts';
import type { ChangeContext } from './wire.ts';

/** A way to be wrong: what is put between the parts of the server. None of its parts is edited. */
export interface Mutation {
  readonly name: string;
  /** What notices it: the number of streams.md that the fault begins with. */
  readonly noticedBy: RegExp;
  /** Changes how threads see streams. */
  readonly seat?: (verdict: Verdict) => Partial<Pick<SeatOptions, 'applyOrder' | 'wrapCaches' | 'wrapViews'>>;
  /** Changes what actors are given, by their name. */
  readonly contexts?: (verdict: Verdict) => Readonly<Record<string, ChangeContext>>;
}

/** The server as it is. */
export const AS_IT_IS: Mutation = { name: 'as it is', noticedBy: /(?!)/ };
