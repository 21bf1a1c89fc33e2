import { type Random, seededRandom } from '../../../src/kit/random.ts';
import { createDatabaseFactory, type DatabaseFactory } from '../database.ts';
import { createLoop, type Loop } from '../loop.ts';
import type { FederationMutation } from './federation-mutation.ts';
import { createMemberServer, type MemberServer } from './member-server.ts';
import { createNetwork, type Network } from './network.ts';

/** Several servers on one thread, and the network between them. */
export interface World {
  readonly loop: Loop;
  readonly random: Random;
  readonly network: Network;
  readonly servers: readonly MemberServer[];
  readonly mutation: FederationMutation;
  /** What went wrong, on any server or between them. */
  readonly faults: string[];
  /** One step, judged. */
  step(): Promise<boolean>;
  close(): void;
}

const NAMES = ['one.example', 'two.example', 'three.example'];
const LOCALPARTS = ['ann', 'bob'];
/** One look at what was committed in so many steps. */
const STEPS_PER_LOOK = 16;

/** Makes the databases of all servers that there may be. */
export function createFactories(): Promise<readonly DatabaseFactory[]> {
  return Promise.all(NAMES.map((name) => createDatabaseFactory(name)));
}

/** @param factories of {@link createFactories} */
export function createWorld(
  seed: number,
  factories: readonly DatabaseFactory[],
  mutation: FederationMutation,
): World {
  const random = seededRandom(seed);
  const loop = createLoop(seededRandom(seed ^ 0x5bd1e995));
  const network = createNetwork(loop, random);
  // Two say most; a third one hears of things from others.
  const count = random.integer(3) === 0 ? factories.length : 2;
  const servers = NAMES.slice(0, count).map((name, index) =>
    createMemberServer({
      name,
      users: LOCALPARTS.map((localpart) => `@${localpart}:${name}`),
      loop,
      random,
      network,
      database: (factories[index] as DatabaseFactory).open(),
      mutation,
    }),
  );
  const faults: string[] = [];
  return {
    loop,
    random,
    network,
    servers,
    mutation,
    faults,
    async step() {
      const isGoing = await loop.step();
      if (loop.steps % STEPS_PER_LOOK === 0 || !isGoing)
        for (const server of servers) {
          server.look();
          if (server.verdict.faults.length > 0)
            faults.push(...server.verdict.faults.map((fault) => `${fault} (${server.name})`));
        }
      return isGoing;
    },
    close() {
      for (const server of servers) {
        server.close();
        server.database.close();
      }
    },
  };
}
