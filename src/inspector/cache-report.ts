import { figuresUnder } from './metric-names.ts';
import type { ThreadFigures } from './stream-report.ts';

/** One cache on one thread. */
export interface CacheReport {
  readonly name: string;
  readonly thread: string;
  readonly hits: number;
  readonly misses: number;
  /** Share of look-ups answered from memory, 0 to 1; 0 before the first. */
  readonly hitRatio: number;
  /** What its entries count, in the cache's own unit. */
  readonly size: number;
  readonly invalidations: number;
  /** Fills that lost a race with an invalidation and were not stored. */
  readonly notStored: number;
}

/** Every cache of every thread that has used it. */
export function cacheReports(threads: readonly ThreadFigures[]): CacheReport[] {
  return threads.flatMap(({ thread, figures }) => {
    const byName = new Map<string, Map<string, number>>();
    const values = new Map([...figures.counters, ...figures.gauges]);
    for (const { subject, figure, value } of figuresUnder(values, 'cache')) {
      const of = byName.get(subject) ?? new Map<string, number>();
      byName.set(subject, of.set(figure, Number(value)));
    }
    return [...byName].map(([name, of]) => {
      const get = (figure: string): number => of.get(figure) ?? 0;
      const lookUps = get('hits') + get('misses');
      return {
        name,
        thread,
        hits: get('hits'),
        misses: get('misses'),
        hitRatio: lookUps === 0 ? 0 : get('hits') / lookUps,
        size: get('size'),
        invalidations: get('invalidations'),
        notStored: get('not-stored'),
      };
    });
  });
}
