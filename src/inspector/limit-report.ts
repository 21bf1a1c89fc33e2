import { figuresUnder } from './metric-names.ts';
import type { ThreadFigures } from './stream-report.ts';

/** How often one rate limiter has refused, on one thread. */
export interface LimitReport {
  readonly class: string;
  /** What its buckets belong to: `user` or `address`. */
  readonly kind: string;
  readonly thread: string;
  readonly refused: number;
}

/** Every rate limiter that has fired. */
export function limitReports(threads: readonly ThreadFigures[]): LimitReport[] {
  return threads.flatMap(({ thread, figures }) =>
    figuresUnder(figures.counters, 'http.rate-limited').map(({ subject, figure, value }) => ({
      class: subject,
      kind: figure,
      thread,
      refused: Number(value),
    })),
  );
}
