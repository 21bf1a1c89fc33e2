import type { ReadDb } from '../../db/kit/read-db.ts';
import type { Random } from '../../src/kit/random.ts';
import type { Lane } from './loop.ts';

export interface SlowReadsOptions {
  readonly random: Random;
  /** Where reads wait; what is in one lane comes back in order, in two it does not. */
  readonly lanes: readonly Lane[];
  /** True: this read fails. */
  readonly fails: () => boolean;
  /** False: whoever waits is dead, and its reads fail. */
  readonly isAlive: () => boolean;
}

/** What a read does beside being quick: it looks first and is slow to answer, or is slow to look. */
type Manner = 'quick' | 'slow-answer' | 'slow-look';
const MANNERS: readonly Manner[] = ['quick', 'quick', 'slow-answer', 'slow-answer', 'slow-look'];

/**
 * The database as it may be behind an asynchronous interface: a read sees the world at some moment between question and answer, and
 * anything may happen in between.
 */
export function slowReads(db: ReadDb, options: SlowReadsOptions): ReadDb & { readonly abandon: () => void } {
  const { random, lanes } = options;
  const waiting = new Set<(error: Error) => void>();

  const run = async <T>(read: () => Promise<T>): Promise<T> => {
    if (!options.isAlive()) throw new Error('its thread has ended');
    if (options.fails()) throw new Error('this read fails, says the simulation');
    const manner = MANNERS[random.integer(MANNERS.length)] ?? 'quick';
    if (manner === 'quick') return read();
    const early = manner === 'slow-answer' ? await read() : undefined;
    // Its thread may have ended meanwhile: nobody would ever let go of what waits from now on.
    if (!options.isAlive()) throw new Error('its thread has ended');
    await new Promise<void>((resolve, reject) => {
      waiting.add(reject);
      lanes[random.integer(lanes.length)]?.push(() => {
        waiting.delete(reject);
        resolve();
      });
    });
    return manner === 'slow-answer' ? (early as T) : read();
  };
  const wrap = (inner: ReadDb): ReadDb => ({
    all: (query, params) => run(() => inner.all(query, params)),
    find: (query, params) => run(() => inner.find(query, params)),
    get: (query, params) => run(() => inner.get(query, params)),
    snapshot: (work) => inner.snapshot((world) => work(wrap(world))),
  });
  return {
    ...wrap(db),
    abandon() {
      for (const reject of waiting) reject(new Error('its thread has ended'));
      waiting.clear();
    },
  };
}
