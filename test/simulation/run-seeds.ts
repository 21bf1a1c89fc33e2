import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Run } from './run-seed.ts';

/** Runs that share the machine: each is one thread by itself. */
const WORKERS_MAX = 4;

const SEED_WORKER = new URL('seed-worker.ts', import.meta.url);

function runOnWorker(script: URL, seeds: readonly number[], note: (run: unknown) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(script, { workerData: seeds });
    worker.on('message', note);
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
}

/**
 * Runs seeds side by side, on as many threads as there are cores. Gives the runs by seed; those behind one that failed may be missing.
 *
 * @param script runs its `workerData`, a list of seeds, and posts a run for each
 */
export async function runSeedsOn<Result extends { readonly seed: number }>(
  script: URL,
  seeds: readonly number[],
): Promise<readonly Result[]> {
  const workers = Math.min(WORKERS_MAX, availableParallelism());
  const runs: Result[] = [];
  await Promise.all(
    Array.from({ length: workers }, (_, worker) =>
      runOnWorker(
        script,
        seeds.filter((_seed, index) => index % workers === worker),
        (run) => void runs.push(run as Result),
      ),
    ),
  );
  return runs.toSorted((a, b) => a.seed - b.seed);
}

/** Runs seeds of the simulation of one server. */
export function runSeeds(seeds: readonly number[]): Promise<readonly Run[]> {
  return runSeedsOn<Run>(SEED_WORKER, seeds);
}
