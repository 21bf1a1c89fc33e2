import { isRefusal } from '../../../src/matrix/refusal.ts';
import { FAILURE_PAUSE_MS } from '../../../actors/federation-receiver/backfill.ts';
import { AskFailed } from '../../../actors/kit/ref.ts';
import type { DatabaseFactory } from '../database.ts';
import { differencesIn, ghostsIn, inspect, hasArrived, type Inspection, isOwed } from './agreement.ts';
import { AS_THEY_ARE, type FederationMutation } from './federation-mutation.ts';
import { createPeople, type People } from './people.ts';
import { endTrouble, mayGoWrong, type Temper } from './trouble.ts';
import type { MemberServer } from './member-server.ts';
import { createWorld, type World } from './world.ts';

/** How one run went. */
export interface FederationRun {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly traceHash: string;
  readonly steps: number;
  readonly servers: number;
  readonly messages: number;
  /** Requests between servers that arrived. */
  readonly delivered: number;
  readonly lost: number;
  /** How often all had to speak until they agreed. */
  readonly rounds: number;
  /** Servers that were put out of a room and never heard of it: what told them was lost to them, and nothing else is sent to them. */
  readonly ghosts: number;
  /** Whether anything was to go wrong. */
  readonly isCalm: boolean;
  readonly done: Readonly<Record<string, number>>;
}

const CHAOS_STEPS = 5_000;
const STEPS_PER_WORK = 35;
const TEMPERS: readonly Temper[] = [
  { network: 0, servers: 0 },
  { network: 15, servers: 0 },
  { network: 30, servers: 0 },
  { network: 10, servers: 10 },
  { network: 20, servers: 20 },
];
const SETTLE_STEPS_MAX = 120_000;
/** A sender that failed for the whole run waits no longer, in milliseconds; and its timers are not the only ones. */
const DRAIN_MAX_MS = 900_000;
/** What one server has not told is asked for when somebody follows on it: so often all speak. */
const ROUNDS_MAX = 3;
/** How often it is looked whether they agree, in milliseconds. */
const LOOK_EVERY_MS = 2_000;
const BACKFILL_FAILURES_MAX = 2;
const BACKFILL_INTERVAL_MS = 500;
const FAULTS_TOLD_MAX = 6;

async function turnUntil(world: World, isDone: () => boolean, stepsMax: number): Promise<boolean> {
  for (let step = 0; step < stepsMax && world.faults.length === 0; step += 1) {
    if (isDone()) return true;
    if (!(await world.step())) return isDone();
  }
  return isDone();
}

/** Turns the loop until the promise has settled; undefined when it does not, or is rejected, which is a fault. */
async function waitFor<T>(world: World, promise: Promise<T>): Promise<T | undefined> {
  const outcome: { value?: T; isThere: boolean } = { isThere: false };
  const wait = async (): Promise<void> => {
    try {
      outcome.value = await promise;
    } catch (error) {
      world.faults.push(`liveness: ${String(error)}`);
    }
    outcome.isThere = true;
  };
  void wait();
  if (!(await turnUntil(world, () => outcome.isThere, SETTLE_STEPS_MAX)) && world.faults.length === 0)
    world.faults.push('liveness: something was never answered');
  return outcome.value;
}

async function passTime(world: World, lengthMs: number): Promise<void> {
  const until = world.loop.clock.now() + lengthMs;
  await turnUntil(world, () => world.loop.clock.now() >= until, SETTLE_STEPS_MAX);
}

/** Null when nobody answered. */
async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof AskFailed) return null;
    throw error;
  }
}

interface Judging {
  readonly world: World;
  readonly people: People;
  readonly inspections: readonly (readonly [string, Inspection])[];
}

function disagreements({ people, inspections }: Judging, what: 'state' | 'events'): readonly string[] {
  return people.rooms.flatMap((roomId) => {
    const held = inspections.map(([name, inspection]) => [name, inspection.room(roomId)] as const);
    return differencesIn(roomId, held, people.cameBackEarly.has(roomId))[what];
  });
}

/** Asks a server for history that it does not have. Gives how long to wait before it is asked on, milliseconds; null: it has all. */
async function fillOnce({ world }: Judging, server: MemberServer, roomId: string): Promise<number | null> {
  const receiver = server.supervisor.ref('federation-receiver');
  const asked = orNull(receiver.ask('federation-receiver.backfill', { roomId, limit: 100 }));
  const filled = await waitFor(world, asked);
  if (filled === undefined || filled === null || isRefusal(filled)) return BACKFILL_INTERVAL_MS;
  if (filled.isAll) return null;
  return filled.events > 0 ? BACKFILL_INTERVAL_MS : FAILURE_PAUSE_MS + BACKFILL_INTERVAL_MS;
}

/** As a client does that scrolls back: gaps in the history are filled. */
async function fillHistory(judging: Judging): Promise<void> {
  const { world, people, inspections } = judging;
  for (const [index, server] of world.servers.entries())
    for (const roomId of people.rooms) {
      if (inspections[index]?.[1].room(roomId).isInside !== true) continue;
      // Each begins where the one before ended; one without success may have met what another request was waiting for.
      for (let failures = 0; failures < BACKFILL_FAILURES_MAX && world.faults.length === 0;) {
        const waitMs = await fillOnce(judging, server, roomId);
        if (waitMs === null) break;
        if (waitMs > BACKFILL_INTERVAL_MS) failures += 1;
        if (failures < BACKFILL_FAILURES_MAX) await passTime(world, waitMs);
      }
    }
}

/**
 * Every message that was acknowledged is with its own server, and as long as that is in the room with every other one that is and to have it, once.
 * What came before all of a room's servers but one had left is asked of nobody.
 */
function judgePromises({ world, people, inspections }: Judging): void {
  for (const roomId of people.rooms) {
    const held = new Map(inspections.map(([name, inspection]) => [name, inspection.room(roomId)]));
    for (const [name, { bodies }] of held)
      for (const [body, eventIds] of bodies)
        if (eventIds.length > 1) world.faults.push(`once: "${body}" is ${eventIds.join(' and ')} at ${name}`);
    for (const [body, { eventId, server, ...promised }] of people.promised) {
      if (promised.roomId !== roomId) continue;
      const own = held.get(server);
      for (const [name, room] of held) {
        const isWithSender = room.isInside && own?.hosts.has(name) === true;
        if (name !== server && !(isWithSender && room.hosts.has(server))) continue;
        const standing = room.events.get(eventId) ?? 'unknown';
        if (hasArrived(standing, people.cameBackEarly.has(roomId))) continue;
        if (name === server || own === undefined || isOwed(own, room, name)(eventId))
          world.faults.push(`kept: "${body}" of ${server}, ${eventId}, is ${standing} at ${name}`);
      }
    }
  }
}

/** Nothing waits in any sender, in memory or stored. */
async function areQueuesEmpty({ world: { servers }, inspections }: Judging): Promise<boolean> {
  if (inspections.some(([, inspection]) => inspection.unsent() > 0)) return false;
  const page = { after: null, limit: 100 };
  const lists = await Promise.all(
    servers.map(({ supervisor }) =>
      orNull(supervisor.ref('federation-sender').ask('federation-sender.read-destinations', page)),
    ),
  );
  return lists.every((list) => list !== null && list.every((one) => one.queuedEvents + one.queuedEdus === 0));
}

/** Waits until everything that waits has gone, as long as a sender may wait. */
async function drain(judging: Judging): Promise<void> {
  const { world, people } = judging;
  const { clock } = world.loop;
  const startMs = clock.now();
  while (clock.now() - startMs < DRAIN_MAX_MS && world.faults.length === 0) {
    await passTime(world, LOOK_EVERY_MS);
    if (people.pending === 0 && (await waitFor(world, areQueuesEmpty(judging))) === true) return;
  }
  if (world.faults.length > 0) return;
  world.faults.push(
    people.pending > 0
      ? `liveness: ${people.pending} clients wait for an answer`
      : 'liveness: a sender never got rid of what it had',
  );
}

/** After the trouble: everything comes to rest, and all agree, at the latest when all have spoken a few times. Gives how often. */
async function settle(judging: Judging): Promise<number> {
  const { world, people } = judging;
  await drain(judging);
  let rounds = 0;
  let found: readonly string[] = [];
  for (; rounds <= ROUNDS_MAX && world.faults.length === 0; rounds += 1) {
    if (rounds > 0) {
      await waitFor(world, people.speakLast());
      await drain(judging);
    }
    if (world.faults.length > 0) return rounds;
    await fillHistory(judging);
    found = [
      ...disagreements(judging, 'state').map((text) => `state: ${text}`),
      ...disagreements(judging, 'events').map((text) => `events: ${text}`),
    ];
    if (found.length === 0) return rounds;
  }
  world.faults.push(...found.slice(0, FAULTS_TOLD_MAX));
  return rounds;
}

function countGhosts({ people, inspections }: Judging): number {
  const ghosts = people.rooms.flatMap((roomId) =>
    ghostsIn(inspections.map(([name, inspection]) => [name, inspection.room(roomId)] as const)),
  );
  return ghosts.length;
}

/** What came of it in the end. */
type Outcome = Pick<FederationRun, 'rounds' | 'ghosts' | 'isCalm'>;

/** Before anything goes wrong every server comes into every room: without that nothing else would show anything. */
function judgeBeginning({ world, people, inspections }: Judging): void {
  for (const roomId of people.rooms)
    for (const [name, inspection] of inspections)
      if (!inspection.room(roomId).isInside) world.faults.push(`entry: ${name} did not come into ${roomId}`);
}

async function actOn(judging: Judging): Promise<Outcome> {
  const { world, people } = judging;
  const { random } = world;
  judgeBeginning(judging);
  const temper = TEMPERS[random.integer(TEMPERS.length)] as Temper;
  for (let step = 0; step < CHAOS_STEPS && world.faults.length === 0; step += 1) {
    if (random.integer(STEPS_PER_WORK) === 0) people.begin();
    mayGoWrong(world, temper);
    await world.step();
  }
  endTrouble(world);
  const rounds = await settle(judging);
  if (world.faults.length === 0) judgePromises(judging);
  const isCalm = temper.network + temper.servers === 0;
  return { rounds, isCalm, ghosts: countGhosts(judging) };
}

async function act(world: World, people: People): Promise<Outcome> {
  await Promise.all(
    world.servers.map((server) => server.supervisor.start()).map((starting) => waitFor(world, starting)),
  );
  await waitFor(world, people.prepare());
  const inspections = world.servers.map((server) => [server.name, inspect(server)] as const);
  try {
    return await actOn({ world, people, inspections });
  } finally {
    for (const [, inspection] of inspections) inspection.close();
  }
}

/** Runs one seed, on databases of its own. */
export async function runFederationSeed(
  factories: readonly DatabaseFactory[],
  seed: number,
  mutation: FederationMutation = AS_THEY_ARE,
): Promise<FederationRun> {
  const world = createWorld(seed, factories, mutation);
  const people = createPeople(world);
  try {
    const outcome = await act(world, people);
    const { loop, network, faults, servers } = world;
    return {
      seed,
      faults,
      traceHash: loop.traceHash(),
      steps: loop.steps,
      servers: servers.length,
      messages: people.promised.size,
      delivered: network.delivered,
      lost: network.lost,
      ...outcome,
      done: Object.fromEntries(people.done),
    };
  } finally {
    world.close();
  }
}
