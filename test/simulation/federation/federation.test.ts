import { expect } from 'chai';
import { runSeedsOn } from '../run-seeds.ts';
import type { FederationRun } from './run-federation-seed.ts';

/** Every run of the suite derives its seeds from this one; another one looks elsewhere. */
const BASE_SEED = 20_261_123;
const SEEDS_PER_TEST = 30;
/** `FEDERATION_SEEDS` says how many: CI runs 300, which take two minutes of both cores. */
const SEEDS = Number(process.env['FEDERATION_SEEDS'] ?? 60);
const TIME_LIMIT_MS = 240_000;
/** Rooms in which a server does not learn that it was put out, in a hundred runs: it happens where what told it of that failed on its way. */
const GHOSTS_MAX = 10;

const WORKER = new URL('federation-worker.ts', import.meta.url);

/** `FEDERATION_SEED` replays one seed alone. */
function seedToReplay(): number | null {
  const text = process.env['FEDERATION_SEED'];
  return text === undefined || text === '' ? null : Number(text);
}

/** What went wrong, and how to see it again. */
function describeFaults({ seed, faults }: FederationRun): string {
  const replay = `FEDERATION_SEED=${seed} npx mocha test/simulation/federation/federation.test.ts`;
  return `seed ${seed} of base seed ${BASE_SEED} (replay: ${replay})\n  ${faults.join('\n  ')}`;
}

async function runAll(seeds: readonly number[]): Promise<readonly FederationRun[]> {
  const runs = await runSeedsOn<FederationRun>(WORKER, seeds);
  const failed = runs.find(({ faults }) => faults.length > 0);
  if (failed !== undefined) throw new Error(describeFaults(failed));
  expect(runs.map(({ seed }) => seed)).to.deep.equal(seeds);
  return runs;
}

function sumOf(runs: readonly FederationRun[], figure: (run: FederationRun) => number): number {
  return runs.reduce((sum, run) => sum + figure(run), 0);
}

describe('the simulation of several servers', () => {
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
    it(`all servers of a room agree on its state and its events, and no message that was acknowledged is lost or there twice, in seeds ${first} to ${last}`, async () => {
      const runs = await runAll(seeds);
      // What did nothing has shown nothing.
      expect(sumOf(runs, ({ messages }) => messages)).to.be.greaterThan(SEEDS_PER_TEST * 25);
      expect(sumOf(runs, ({ delivered }) => delivered)).to.be.greaterThan(SEEDS_PER_TEST * 20);
      expect(sumOf(runs, ({ done }) => done['join'] ?? 0)).to.be.greaterThan(SEEDS_PER_TEST * 10);
      for (const deed of ['leave', 'redact', 'm.room.topic', 'm.room.power_levels', 'kick', 'invite'])
        expect(
          sumOf(runs, ({ done }) => done[deed] ?? 0),
          deed,
        ).to.be.greaterThan(0);
      const [calm, troubled] = [true, false].map((isCalm) => runs.filter((run) => run.isCalm === isCalm));
      expect(sumOf(calm ?? [], ({ ghosts }) => ghosts)).to.equal(0);
      expect(sumOf(troubled ?? [], ({ ghosts }) => ghosts)).to.be.at.most(GHOSTS_MAX);
    }).timeout(TIME_LIMIT_MS);
  }

  it('is the same twice for the same seed, and another for another', async () => {
    const seeds = Array.from({ length: 4 }, (_, index) => BASE_SEED + index);
    const hashes = (runs: readonly FederationRun[]): readonly string[] =>
      runs.map(({ traceHash }) => traceHash);
    const first = hashes(await runAll(seeds));
    expect(hashes(await runAll(seeds))).to.deep.equal(first);
    expect(new Set(first).size).to.equal(seeds.length);
  }).timeout(TIME_LIMIT_MS);
});
