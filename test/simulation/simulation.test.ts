import { expect } from 'chai';
import type { Run } from './run-seed.ts';
import { runSeeds } from './run-seeds.ts';

/** Every run of the suite derives its seeds from this one; another one looks elsewhere. */
const BASE_SEED = 20_260_331;
const SEEDS = 1_000;
/** Seeds in one test, so that each has its own time limit and a failure is found early. */
const SEEDS_PER_TEST = 250;
const TIME_LIMIT_MS = 180_000;

/** `SIMULATION_SEED` replays one seed alone. */
function seedToReplay(): number | null {
  const text = process.env['SIMULATION_SEED'];
  return text === undefined || text === '' ? null : Number(text);
}

/** What went wrong, and how to see it again. */
function describeFaults({ seed, faults }: Run): string {
  const replay = `SIMULATION_SEED=${seed} npx mocha test/simulation/simulation.test.ts`;
  return `seed ${seed} of base seed ${BASE_SEED} (replay: ${replay})\n  ${faults.join('\n  ')}`;
}

async function runAll(seeds: readonly number[]): Promise<readonly Run[]> {
  const runs = await runSeeds(seeds);
  const failed = runs.find(({ faults }) => faults.length > 0);
  if (failed !== undefined) throw new Error(describeFaults(failed));
  expect(runs.map(({ seed }) => seed)).to.deep.equal(seeds);
  return runs;
}

describe('the simulation', () => {
  const replayed = seedToReplay();
  if (replayed !== null) {
    it(`replays seed ${replayed}`, async () => {
      await runAll([replayed]);
    }).timeout(TIME_LIMIT_MS);
    return;
  }

  for (let first = 0; first < SEEDS; first += SEEDS_PER_TEST) {
    const seeds = Array.from({ length: SEEDS_PER_TEST }, (_, index) => BASE_SEED + first + index);
    const last = first + SEEDS_PER_TEST - 1;
    it(`1.4 1.6 2.3 2.7 3.1 3.3 3.5 3.8 6.1 7.1 7.6 hold at every step of seeds ${first} to ${last}`, async () => {
      const runs = await runAll(seeds);
      // What did nothing has shown nothing.
      const sum = (field: 'events' | 'answers' | 'steps'): number =>
        runs.reduce((total, run) => total + run[field], 0);
      expect(sum('events')).to.be.greaterThan(SEEDS_PER_TEST * 15);
      expect(sum('answers')).to.be.greaterThan(SEEDS_PER_TEST * 20);
      expect(sum('steps')).to.be.greaterThan(SEEDS_PER_TEST * 1_000);
    }).timeout(TIME_LIMIT_MS);
  }

  it('is the same twice for the same seed, and another for another', async () => {
    const seeds = Array.from({ length: 6 }, (_, index) => BASE_SEED + index);
    const hashes = (runs: readonly Run[]): readonly string[] => runs.map(({ traceHash }) => traceHash);
    const first = hashes(await runAll(seeds));
    expect(hashes(await runAll(seeds))).to.deep.equal(first);
    expect(new Set(first).size).to.equal(seeds.length);
  }).timeout(TIME_LIMIT_MS);
});
