import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock, Milliseconds } from '../../src/kit/clock.ts';

/** A file that is written and removed again, to see whether that is possible. */
export const PROBE_FILE = 'writable-probe.tmp';
/** What is known is not asked again for so long. */
export const PROBE_EVERY_MS = 5_000;
/** A disk that takes longer is as good as none. */
export const PROBE_DEADLINE_MS = 2_000;
/** A page of the database: a disk without room for it has none for a write. */
const PROBE_BYTES = 4_096;

/** Says whether the data folder can be written. */
export interface DiskProbe {
  /** @returns null when it can, otherwise why not */
  findFault(): Promise<string | null>;
}

async function probe(folder: string): Promise<string | null> {
  const file = path.join(folder, PROBE_FILE);
  try {
    await writeFile(file, Buffer.alloc(PROBE_BYTES));
    await rm(file);
    return null;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return `the data folder ${folder} cannot be written: ${error.message}`;
  }
}

/** Makes the probe of a folder. Who asks often costs one small file every {@link PROBE_EVERY_MS}; a disk that hangs is asked once. */
export function createDiskProbe(folder: string, clock: Clock): DiskProbe {
  let known: { readonly fault: string | null; readonly at: Milliseconds } | null = null;
  let underWay: Promise<string | null> | null = null;

  const ask = (): Promise<string | null> =>
    (underWay ??= probe(folder)
      .then((fault) => {
        known = { fault, at: clock.monotonic() };
        return fault;
      })
      .finally(() => {
        underWay = null;
      }));
  return {
    async findFault() {
      if (known !== null && clock.monotonic() - known.at < PROBE_EVERY_MS) return known.fault;
      const tooLate = Promise.withResolvers<string>();
      const timer = clock.after(PROBE_DEADLINE_MS, () =>
        tooLate.resolve(`the data folder ${folder} does not answer: is its disk there?`),
      );
      try {
        return await Promise.race([ask(), tooLate.promise]);
      } finally {
        clock.cancel(timer);
      }
    },
  };
}
