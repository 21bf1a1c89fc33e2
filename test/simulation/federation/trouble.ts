import type { MemberServer } from './member-server.ts';
import type { World } from './world.ts';

type Trouble = (world: World) => void;

const CUT_MAX_MS = 40_000;
const EPISODE_MAX_MS = 15_000;

function pick<Item>({ random }: World, items: readonly Item[]): Item | undefined {
  return items[random.integer(Math.max(1, items.length))];
}

function anyServer(world: World): MemberServer {
  return pick(world, world.servers) as MemberServer;
}

const crashNow: Trouble = (world) => {
  const { contexts } = anyServer(world);
  const name = pick(world, [...contexts.keys()]);
  const context = name === undefined ? undefined : contexts.get(name);
  if (context?.ended.aborted === false) context.crash(new Error('crashed by the simulation'));
};

const crashAtMessage: Trouble = (world) => {
  const { contexts, flags } = anyServer(world);
  const name = pick(world, [...contexts.keys()]);
  if (name !== undefined) flags.set(name, world.random.integer(2) === 0 ? 'before' : 'after');
};

const killThread: Trouble = (world) => {
  const { platform, threads } = anyServer(world);
  const name = pick(world, threads);
  if (name !== undefined) platform.kill(name);
};

/** All of a server at once: nothing of what was in memory is left. */
const killServer: Trouble = (world) => {
  const { platform, threads } = anyServer(world);
  for (const name of threads) platform.kill(name);
};

const killAfterCommit: Trouble = (world) => {
  anyServer(world).mood.diesAfterCommit = true;
};

const stallThread: Trouble = (world) => {
  const { platform, threads } = anyServer(world);
  const name = pick(world, threads);
  if (name !== undefined) platform.stall(name, world.random.integer(3_000));
};

const stallLink: Trouble = (world) => {
  const { platform } = anyServer(world);
  platform.stallLink(world.random.integer(Math.max(1, platform.links)), world.random.integer(5_000));
};

const storageTrouble: Trouble = (world) => {
  const { mood } = anyServer(world);
  mood.unavailablePercent = world.random.integer(60);
  world.loop.clock.after(world.random.integer(1_500), () => (mood.unavailablePercent = 0));
};

/** Two servers do not hear each other, or one of them does not hear the other one. */
const cutWay: Trouble = (world) => {
  const [from, to] = [anyServer(world).name, anyServer(world).name];
  if (from === to) return;
  const lengthMs = world.random.integer(CUT_MAX_MS);
  world.network.cut(from, to, lengthMs);
  if (world.random.integer(2) === 0) world.network.cut(to, from, lengthMs);
};

const isolate: Trouble = (world) => {
  const { name } = anyServer(world);
  const lengthMs = world.random.integer(CUT_MAX_MS);
  for (const other of world.servers)
    if (other.name !== name) {
      world.network.cut(name, other.name, lengthMs);
      world.network.cut(other.name, name, lengthMs);
    }
};

const badWeather: Trouble = ({ network: { weather }, random, loop }) => {
  weather.lostPercent = random.integer(30);
  weather.lostAnswerPercent = random.integer(40);
  weather.doublePercent = random.integer(60);
  weather.delayMaxMs = 20 + random.integer(4_000);
  loop.clock.after(random.integer(EPISODE_MAX_MS), () =>
    Object.assign(weather, { lostPercent: 0, lostAnswerPercent: 0, doublePercent: 5, delayMaxMs: 100 }),
  );
};

const OF_NETWORK: readonly Trouble[] = [cutWay, cutWay, isolate, badWeather, badWeather, badWeather];
const OF_SERVERS: readonly Trouble[] = [
  crashNow,
  crashNow,
  crashAtMessage,
  crashAtMessage,
  killThread,
  killServer,
  killAfterCommit,
  stallThread,
  stallLink,
  storageTrouble,
];

/** How much goes wrong in one run, in ten thousand steps. */
export interface Temper {
  readonly network: number;
  readonly servers: number;
}

/** Perhaps something goes wrong. */
export function mayGoWrong(world: World, { network, servers }: Temper): void {
  const drawn = world.random.integer(10_000);
  if (drawn < network) pick(world, OF_NETWORK)?.(world);
  else if (drawn < network + servers) pick(world, OF_SERVERS)?.(world);
}

/** Nothing goes wrong any more. */
export function endTrouble({ network, servers }: World): void {
  network.heal();
  for (const { flags, mood } of servers) {
    flags.clear();
    Object.assign(mood, { unavailablePercent: 0, diesAfterCommit: false });
  }
}
