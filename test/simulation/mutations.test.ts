import { expect } from 'chai';
import { createDatabaseFactory, type DatabaseFactory } from './database.ts';
import { MUTATIONS } from './mutations.ts';
import type { Mutation } from './mutation.ts';
import { runSeed } from './run-seed.ts';

/** How many seeds a mutation may survive. Those that survive longest here take about 60. */
const SEEDS_MAX = 500;
const FIRST_SEED = 1;
const TIME_LIMIT_MS = 120_000;

describe('6.7 each mutation turns an invariant of the simulation red', () => {
  let factory: DatabaseFactory;
  before(async () => {
    factory = await createDatabaseFactory();
  });
  after(() => factory.remove());

  /** The number of seeds it took, and what was noticed; null when it survived. */
  async function seedsToNotice(mutation: Mutation): Promise<{ seeds: number; fault: string } | null> {
    for (let seeds = 1; seeds <= SEEDS_MAX; seeds += 1) {
      // Until the first seed that notices.
      const { faults } = await runSeed(factory, FIRST_SEED + seeds - 1, mutation);
      const [fault] = faults;
      if (fault !== undefined) return { seeds, fault };
    }
    return null;
  }

  for (const mutation of MUTATIONS) {
    it(mutation.name, async function noticed() {
      const found = await seedsToNotice(mutation);
      if (found === null) expect.fail(`${mutation.name} survives ${SEEDS_MAX} seeds`);
      expect(found.fault).to.match(mutation.noticedBy);
      // Shown with the test: how long it took.
      if (this.test !== undefined) this.test.title += ` (noticed in ${found.seeds} seeds)`;
    }).timeout(TIME_LIMIT_MS);
  }
});
