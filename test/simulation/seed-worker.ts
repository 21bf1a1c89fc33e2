import { parentPort, workerData } from 'node:worker_threads';
import { createDatabaseFactory } from './database.ts';
import { runSeed } from './run-seed.ts';

/** Runs its seeds one after the other, tells of each, and ends at the first that fails. */
const seeds = workerData as readonly number[];
const factory = await createDatabaseFactory();
try {
  for (const seed of seeds) {
    // One database, one run at a time.
    const run = await runSeed(factory, seed);
    parentPort?.postMessage(run);
    if (run.faults.length > 0) break;
  }
} finally {
  factory.remove();
}
