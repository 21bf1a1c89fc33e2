import type { Committed } from './committed.ts';

/** What went wrong, and what it is judged by. */
export interface Verdict {
  readonly committed: Committed;
  /** The local users. */
  readonly users: readonly string[];
  /** Events whose redaction was asked for. */
  readonly redacted: Set<string>;
  /** An invariant does not hold. `number` is its place in streams.md. */
  blame(number: string, what: string): void;
  readonly faults: readonly string[];
  trace(text: string): void;
}

/** Faults that are noted: the first is the one that matters. */
const FAULTS_MAX = 20;

/** Makes a verdict without faults. */
export function createVerdict(
  committed: Committed,
  users: readonly string[],
  trace: (text: string) => void,
): Verdict {
  const faults: string[] = [];
  return {
    committed,
    users,
    redacted: new Set(),
    faults,
    blame(number, what) {
      if (faults.length < FAULTS_MAX) faults.push(`${number} ${what}`);
    },
    trace,
  };
}
