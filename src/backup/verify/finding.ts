/** Something that is not as it should be. */
export interface Finding {
  /** What, and where. */
  readonly what: string;
  /** What to do about it. */
  readonly todo: string;
}

/** What one check has looked at. */
export interface CheckResult {
  /** For people: `local memberships`. */
  readonly check: string;
  /** How much it looked at: `12 rooms`. */
  readonly lookedAt: string;
  /** At most {@link FINDINGS_MAX}. */
  readonly findings: readonly Finding[];
  /** All of them. */
  readonly count: number;
  /** What is no damage, and worth knowing. */
  readonly notes: readonly string[];
}

/** Findings of one check that are told one by one. */
export const FINDINGS_MAX = 20;

/** Collects what a check finds, and no more than is told. */
export interface FindingList {
  add(finding: Finding): void;
  note(text: string): void;
  result(check: string, lookedAt: string): CheckResult;
}

/** Makes an empty list. */
export function createFindings(): FindingList {
  const findings: Finding[] = [];
  const notes: string[] = [];
  let count = 0;
  return {
    add(finding) {
      count += 1;
      if (findings.length < FINDINGS_MAX) findings.push(finding);
    },
    note(text) {
      if (notes.length < FINDINGS_MAX) notes.push(text);
    },
    result: (check, lookedAt) => ({ check, lookedAt, findings, count, notes }),
  };
}

/** What helps against damage of rows, for there is no repair that would not guess. */
export const RESTORE_TODO = 'restore the last backup that "troupe verify" finds consistent';
