import { parentPort, workerData } from 'node:worker_threads';
import { runFederationSeed } from './run-federation-seed.ts';
import { createFactories } from './world.ts';

/** Runs its seeds one after the other, tells of each, and ends at the first that fails. */
const seeds = workerData as readonly number[];
const factories = await createFactories();
try {
  for (const seed of seeds) {
    // One set of databases, one run at a time.
    const run = await runFederationSeed(factories, seed);
    parentPort?.postMessage(run);
    if (run.faults.length > 0) break;
  }
} finally {
  for (const factory of factories) factory.remove();
}
