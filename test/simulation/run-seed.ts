import type { ReadDb } from '../../db/kit/read-db.ts';
import { typingStream } from '../../src/streams/typing-stream.ts';
import { startClients } from './clients.ts';
import type { DatabaseFactory, SimulatedDatabase } from './database.ts';
import { endFaults, mayFail } from './faults.ts';
import { AS_IT_IS, type Mutation } from './mutation.ts';
import { WATCHED_CACHES } from './seat.ts';
import { createSimulatedServer, type SimulatedServer, STREAMS } from './server.ts';
import { createWorkload, type Workload } from './workload.ts';

/** How one run went. */
export interface Run {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly traceHash: string;
  readonly steps: number;
  readonly events: number;
  readonly answers: number;
}

const CHAOS_STEPS = 1_400;
/** One piece of work begins in so many steps. */
const STEPS_PER_WORK = 22;
/** By then everything has settled: longer than the deadline of an ask and the silence after which an owner is asked again. */
const SETTLE_MS_MAX = 90_000;
const SETTLE_STEPS_MAX = 40_000;
/** How often followers and the owner of typing are compared before they are said to differ. */
const TYPING_TRIES_MAX = 60;
const TEMPERS = [0, 25, 60, 120];

function differences({ verdict, seats, supervisor }: SimulatedServer): string[] {
  const found: string[] = [];
  for (const { name, state, depth, open } of supervisor.status().actors)
    if (state !== 'running' || depth > 0 || open > 0)
      found.push(`${name} is ${state} with ${depth} and ${open}`);
  for (const seat of seats.values())
    for (const { name, kind } of STREAMS)
      if (kind === 'durable' && seat.views.currentToken(name) !== verdict.committed.head(name))
        found.push(
          `${seat.name} is at ${seat.views.currentToken(name)} of ${verdict.committed.head(name)} of ${name}`,
        );
  return found;
}

/** Who types where; a room in which nobody does is like one that was forgotten. */
function typingOf(rows: readonly { readonly row: unknown }[]): string[] {
  return rows
    .map(({ row }) => row as { readonly roomId: string; readonly userIds: readonly string[] })
    .filter(({ userIds }) => userIds.length > 0)
    .map(({ roomId, userIds }) => `${roomId}:${userIds.join('+')}`)
    .toSorted();
}

/** Turns the loop until `isDone`, or for good when it cannot be. */
async function turnUntil(server: SimulatedServer, isDone: () => boolean, stepsMax: number): Promise<boolean> {
  for (let step = 0; step < stepsMax && server.verdict.faults.length === 0; step += 1) {
    if (isDone()) return true;
    if (!(await server.step())) return isDone();
  }
  return isDone();
}

/** Turns the loop until the promise has settled; undefined when it does not, or is rejected, which is a fault. */
async function waitFor<T>(server: SimulatedServer, promise: Promise<T>): Promise<T | undefined> {
  const outcome: { value?: T; isThere: boolean } = { isThere: false };
  const wait = async (): Promise<void> => {
    try {
      outcome.value = await promise;
    } catch (error) {
      server.verdict.blame('liveness', String(error));
    }
    outcome.isThere = true;
  };
  void wait();
  await turnUntil(server, () => outcome.isThere, SETTLE_STEPS_MAX);
  return outcome.value;
}

/** Followers that see other typing than the owner does; typing ends by itself meanwhile, so that they get some tries. */
async function typingDifferences(server: SimulatedServer): Promise<string[]> {
  const ask = { stream: 'typing', epoch: 0, from: 0, to: Number.MAX_SAFE_INTEGER, limit: 1_000 };
  let found: string[] = [];
  for (let attempt = 0; attempt < TYPING_TRIES_MAX && server.verdict.faults.length === 0; attempt += 1) {
    const page = await waitFor(server, server.supervisor.ref('typing').ask('stream.read', ask));
    const said = typingOf(page?.rows ?? []).join();
    const epoch = page?.epoch;
    found = [...server.seats.values()].flatMap(({ name, views }) => {
      const seen = typingOf(views.memoryRows(typingStream, -1)).join();
      if (seen === said && views.epoch('typing') === epoch) return [];
      return [`${name} sees [${seen}] of ${views.epoch('typing')}, the owner said [${said}] of ${epoch}`];
    });
    if (found.length === 0) return [];
    const until = server.loop.clock.now() + 300;
    await turnUntil(server, () => server.loop.clock.now() > until, 1_000);
  }
  return found;
}

/** After the faults: everything comes to rest, and all agree. */
async function settle(server: SimulatedServer, workload: Workload): Promise<void> {
  const { loop, verdict } = server;
  const until = loop.clock.now() + SETTLE_MS_MAX;
  const isOver = (): boolean => loop.clock.now() > until;
  await turnUntil(server, () => isOver() || workload.pending === 0, SETTLE_STEPS_MAX);
  if (workload.pending > 0) verdict.blame('liveness', `${workload.pending} clients wait for an answer`);
  await turnUntil(server, () => isOver() || differences(server).length === 0, SETTLE_STEPS_MAX);
  // What nobody noticed yet is noticed by the regular POSITION.
  const calm = loop.clock.now() + 8_000;
  await turnUntil(server, () => loop.clock.now() > calm, SETTLE_STEPS_MAX);
  for (const difference of await typingDifferences(server)) verdict.blame('2.3', difference);
  await turnUntil(server, () => differences(server).length === 0, 3_000);
  for (const difference of differences(server)) verdict.blame('liveness', difference);
}

async function judgeCaches(server: SimulatedServer, db: ReadDb): Promise<void> {
  for (const seat of server.seats.values())
    for (const { cache, keys } of WATCHED_CACHES)
      for (const key of keys(server.verdict)) {
        const held = seat.caches.peek(cache, key);
        if (held === undefined) continue;
        const fresh = await cache.load(db, key);
        const [a, b] = [held, fresh].map((value) =>
          JSON.stringify(
            value instanceof Set ? [...(value as Set<unknown>)] : value,
            (field, inner: unknown) => (field === 'count' || field === 'countedTo' ? undefined : inner),
          ),
        );
        if (a !== b)
          server.verdict.blame('7.6', `${seat.name} keeps ${cache.name} of ${key}: ${a}, and not ${b}`);
      }
}

function judgePromises(server: SimulatedServer, { promises }: Workload): void {
  const { verdict, wire } = server;
  const { committed } = verdict;
  for (const [eventId, position] of promises.events)
    if (committed.positionOf(eventId) !== position) verdict.blame('1.4', `${eventId} is not at ${position}`);
  const bodies = new Map<string, string>();
  for (const { content, eventId } of committed.events) {
    const body = content['body'];
    if (typeof body !== 'string') continue;
    if (bodies.has(body)) verdict.blame('1.4', `"${body}" was sent as ${bodies.get(body)} and as ${eventId}`);
    bodies.set(body, eventId);
  }
  for (const [body, eventId] of promises.messages)
    if (bodies.get(body) !== eventId)
      verdict.blame('1.4', `"${body}" was acknowledged as ${eventId} and is lost`);
  for (const [key, position] of promises.accountData) {
    const [userId = '', type = ''] = key.split(' ');
    if (committed.accountDataAt(userId, type) < position)
      verdict.blame('1.4', `${key} was acknowledged at ${position} and is older`);
  }
  for (const position of promises.ledger)
    if (position > committed.head('ledger')) verdict.blame('1.4', `ledger ${position} is lost`);
  for (const roomId of committed.rooms)
    if (wire.pokes(roomId) > committed.stateChanges(roomId))
      verdict.blame(
        '7.1',
        `${wire.pokes(roomId)} pokes of ${roomId}, which changed ${committed.stateChanges(roomId)} times`,
      );
}

function judgeFederation({ deliveries, queued, verdict }: SimulatedServer): void {
  for (const [sender, owed] of queued)
    for (const item of owed)
      if (deliveries.get(sender)?.sent.has(item) !== true)
        verdict.blame('2.7', `${sender} was never given ${item}`);
}

async function act(server: SimulatedServer, database: SimulatedDatabase): Promise<number> {
  const { verdict, random } = server;
  await waitFor(server, server.supervisor.start());
  const clients = startClients(server);
  const workload = createWorkload(server);
  await waitFor(server, workload.prepare());
  const temper = { faultsPerMyriad: TEMPERS[random.integer(TEMPERS.length)] ?? 0 };
  for (let step = 0; step < CHAOS_STEPS && verdict.faults.length === 0; step += 1) {
    if (random.integer(STEPS_PER_WORK) === 0) workload.begin();
    mayFail(server, temper);
    await server.step();
  }
  endFaults(server);
  await settle(server, workload);
  if (verdict.faults.length === 0) {
    judgePromises(server, workload);
    judgeFederation(server);
    await judgeCaches(server, database.db);
  }
  const stopping = clients.stop();
  if (verdict.faults.length === 0) await waitFor(server, stopping);
  if (verdict.faults.length === 0 && server.platform.pendingAsks() > 0)
    await turnUntil(server, () => server.platform.pendingAsks() === 0, 5_000);
  if (verdict.faults.length === 0 && server.platform.pendingAsks() > 0)
    verdict.blame('liveness', `${server.platform.pendingAsks()} asks are pending`);
  return clients.answers;
}

/** Runs one seed on a database of its own. */
export async function runSeed(
  factory: DatabaseFactory,
  seed: number,
  mutation: Mutation = AS_IT_IS,
): Promise<Run> {
  const database = factory.open();
  const server = createSimulatedServer(seed, database, mutation);
  try {
    const answers = await act(server, database);
    const { verdict, loop } = server;
    const { faults } = verdict;
    return {
      seed,
      faults,
      traceHash: loop.traceHash(),
      steps: loop.steps,
      events: verdict.committed.events.length,
      answers,
    };
  } finally {
    server.close();
    database.close();
  }
}
