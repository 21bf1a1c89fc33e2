import type { SimulatedServer } from './server.ts';
import { STREAMS } from './server.ts';

/** How much goes wrong in one run. */
export interface Temper {
  /** Faults in ten thousand steps. */
  readonly faultsPerMyriad: number;
}

type Fault = (server: SimulatedServer) => void;

function pick<Item>({ random }: SimulatedServer, items: readonly Item[]): Item | undefined {
  return items[random.integer(Math.max(1, items.length))];
}

const crashNow: Fault = (server) => {
  const name = pick(server, [...server.contexts.keys()]);
  const context = name === undefined ? undefined : server.contexts.get(name);
  if (context?.ended.aborted === false) context.crash(new Error('crashed by the simulation'));
};

const crashAtMessage: Fault = (server) => {
  const name = pick(server, [...server.contexts.keys()]);
  if (name !== undefined) server.flags.set(name, server.random.integer(2) === 0 ? 'before' : 'after');
};

const killThread: Fault = (server) => {
  const name = pick(server, server.threads);
  if (name !== undefined) server.platform.kill(name);
};

const killAfterCommit: Fault = ({ mood }) => {
  mood.diesAfterCommit = true;
};

const stallThread: Fault = (server) => {
  const name = pick(server, server.threads);
  if (name !== undefined) server.platform.stall(name, server.random.integer(3_000));
};

const stallLink: Fault = ({ platform, random }) => {
  platform.stallLink(random.integer(Math.max(1, platform.links)), random.integer(7_000));
};

/** The owner forgets a subscriber that does not know it. */
const unsubscribe: Fault = (server) => {
  const stream = pick(server, STREAMS);
  const thread = pick(server, [...server.seats.keys()]);
  const context = server.contexts.get(`views@${thread}`);
  if (stream === undefined || context === undefined) return;
  context.ref(stream.owner as 'rooms').tell('stream.unsubscribe', { subscriber: context.name });
};

const storageTrouble: Fault = ({ mood, random, loop }) => {
  mood.unavailablePercent = random.integer(60);
  mood.failingReadsPercent = random.integer(30);
  loop.clock.after(random.integer(1_500), () => {
    mood.unavailablePercent = 0;
    mood.failingReadsPercent = 0;
  });
};

const FAULTS: readonly Fault[] = [
  crashNow,
  crashNow,
  crashAtMessage,
  crashAtMessage,
  killThread,
  killAfterCommit,
  stallThread,
  stallThread,
  stallLink,
  stallLink,
  stallLink,
  unsubscribe,
  storageTrouble,
];

/** Perhaps something goes wrong. */
export function mayFail(server: SimulatedServer, { faultsPerMyriad }: Temper): void {
  if (server.random.integer(10_000) < faultsPerMyriad) pick(server, FAULTS)?.(server);
}

/** Nothing goes wrong any more. */
export function endFaults(server: SimulatedServer): void {
  server.flags.clear();
  server.mood.diesAfterCommit = false;
  server.mood.unavailablePercent = 0;
  server.mood.failingReadsPercent = 0;
}
