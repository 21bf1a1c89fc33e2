import { expect } from 'chai';
import type { DatabaseFactory } from '../database.ts';
import type { FederationMutation } from './federation-mutation.ts';
import { FEDERATION_MUTATIONS } from './federation-mutations.ts';
import { runFederationSeed } from './run-federation-seed.ts';
import { createFactories } from './world.ts';

/** How many seeds a mutation may survive. */
const SEEDS_MAX = 60;
const FIRST_SEED = 1_006;
const TIME_LIMIT_MS = 120_000;

describe('each mutation turns the simulation of several servers red', () => {
  let factories: readonly DatabaseFactory[];
  before(async () => {
    factories = await createFactories();
  });
  after(() => {
    for (const factory of factories) factory.remove();
  });

  async function seedsToNotice(
    mutation: FederationMutation,
  ): Promise<{ readonly seeds: number; readonly fault: string } | null> {
    for (let seeds = 1; seeds <= SEEDS_MAX; seeds += 1) {
      // Until the first seed that notices.
      const { faults } = await runFederationSeed(factories, FIRST_SEED + seeds - 1, mutation);
      const [fault] = faults;
      if (fault !== undefined) return { seeds, fault };
    }
    return null;
  }

  for (const mutation of FEDERATION_MUTATIONS) {
    it(mutation.name, async function noticed() {
      const found = await seedsToNotice(mutation);
      if (found === null) expect.fail(`${mutation.name} survives ${SEEDS_MAX} seeds`);
      expect(found.fault).to.match(mutation.noticedBy);
      // Shown with the test: how long it took.
      if (this.test !== undefined) this.test.title += ` (noticed in ${found.seeds} seeds)`;
    }).timeout(TIME_LIMIT_MS);
  }
});
