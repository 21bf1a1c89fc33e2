import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Run } from './run-seed.ts';

/** Runs that share the machine: each is one thread by itself. */
const WORKERS_MAX = 4;

function runOnWorker(seeds: readonly number[], note: (run: Run) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('seed-worker.ts', import.meta.url), { workerData: seeds });
    worker.on('message', note);
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
}

/** Runs seeds side by side, on as many threads as there are cores. Gives the runs by seed; those behind one that failed may be missing. */
export async function runSeeds(seeds: readonly number[]): Promise<readonly Run[]> {
  const workers = Math.min(WORKERS_MAX, availableParallelism());
  const runs: Run[] = [];
  await Promise.all(
    Array.from({ length: workers }, (_, worker) =>
      runOnWorker(
        seeds.filter((_seed, index) => index % workers === worker),
        (run) => void runs.push(run),
      ),
    ),
  );
  return runs.toSorted((a, b) => a.seed - b.seed);
}
