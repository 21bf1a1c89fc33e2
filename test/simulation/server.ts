import { accountDataActor } from '../../actors/account-data/actor.ts';
import { cachesActor } from '../../actors/caches/actor.ts';
import { defineCommitter } from '../../actors/committer/actor.ts';
import type { Environment, TroupeContext } from '../../actors/environment.ts';
import { federationActor } from '../../actors/federation/actor.ts';
import { SUPERVISION_DEFAULTS, type SupervisionTree } from '../../actors/kit/supervision-tree.ts';
import { createSupervisor, type Supervisor } from '../../actors/kit/supervisor.ts';
import type { ActorMap } from '../../actors/protocols.ts';
import { receiptsActor } from '../../actors/receipts/actor.ts';
import { roomsActor } from '../../actors/rooms/actor.ts';
import { typingActor } from '../../actors/typing/actor.ts';
import { defineViewsActor } from '../../actors/views/actor.ts';
import type { GroupCommit } from '../../db/kit/group-commit.ts';
import { openGroupCommit } from '../../db/kit/group-commit.ts';
import type { WriteOutcome, WriteSet } from '../../db/kit/write-set.ts';
import type { Config } from '../../src/config/config.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import { type Random, seededRandom } from '../../src/kit/random.ts';
import { accountDataStream } from '../../src/streams/account-data-stream.ts';
import { cachesStream } from '../../src/streams/caches-stream.ts';
import { eventsStream } from '../../src/streams/events-stream.ts';
import { federationStream } from '../../src/streams/federation-stream.ts';
import { receiptsStream } from '../../src/streams/receipts-stream.ts';
import type { Stream } from '../../src/streams/stream.ts';
import { typingStream } from '../../src/streams/typing-stream.ts';
import { silentMetrics } from '../support/database.ts';
import type { SimulatedDatabase } from './database.ts';
import { ledgerActor, ledgerStream } from './ledger.ts';
import { createLoop, type Loop } from './loop.ts';
import type { Mutation } from './mutation.ts';
import { takeSeat, type Seat } from './seat.ts';
import { defineSender, type Deliveries } from './sender.ts';
import { slowReads } from './slow-reads.ts';
import {
  createSimulatedPlatform,
  type LifeOptions,
  type SimulatedPlatform,
  type ThreadLife,
} from './threads.ts';
import { createVerdict, type Verdict } from './verdict.ts';
import { type CrashFlags, createWire, type Definition, type LivingContexts, type Wire } from './wire.ts';
import { NOBODY_OUT_THERE } from '../support/nobody-out-there.ts';

const SERVER_NAME = 'sim.example';
export const USERS = ['ann', 'bob', 'cat', 'dan'].map((name) => `@${name}:${SERVER_NAME}`);

/** The streams of this workload, in the order of their letters. */
export const STREAMS: readonly Stream[] = [
  eventsStream,
  accountDataStream,
  receiptsStream,
  typingStream,
  federationStream,
  cachesStream,
  ledgerStream,
];

/** What storage does beside storing. */
export interface StorageMood {
  /** Write sets that come back unavailable, in percent. */
  unavailablePercent: number;
  /** Reads that fail, in percent, on gateways. */
  failingReadsPercent: number;
  /** The thread dies after the next commit, before anybody is told. */
  diesAfterCommit: boolean;
}

/** A gateway's clients reach the server through its present life. */
export interface Gateway {
  readonly context: TroupeContext;
  readonly seat: Seat;
}

/** A whole server on one thread, and what it is judged by. */
export interface SimulatedServer {
  readonly loop: Loop;
  readonly random: Random;
  readonly platform: SimulatedPlatform;
  readonly supervisor: Supervisor<ActorMap>;
  readonly verdict: Verdict;
  readonly wire: Wire;
  readonly mood: StorageMood;
  readonly contexts: LivingContexts;
  readonly flags: CrashFlags;
  readonly threads: readonly string[];
  /** By thread: its present life. */
  readonly seats: ReadonlyMap<string, Seat>;
  readonly gateways: ReadonlyMap<string, Gateway>;
  /** By sender: what it has sent. */
  readonly deliveries: ReadonlyMap<string, Deliveries>;
  /** By sender: what the present incarnation of `federation` has taken in since it knows this sender. */
  readonly queued: ReadonlyMap<string, Set<string>>;
  /** One step, judged. */
  step(): Promise<boolean>;
  close(): void;
}

const GATEWAYS = ['gateway-1', 'gateway-2'];
const ELSEWHERE = ['federation-sender', 'policy-servers'];
const SENDERS = ['views@sender-1', 'views@sender-2'] as const;

/** Owners live beside the committer or on a thread of their own, as the seed has it. */
function drawTree(random: Random): SupervisionTree {
  const owners = ['caches', 'federation', 'typing', 'account-data', 'receipts', 'rooms', 'ledger'];
  const elsewhere = owners.filter(() => random.integer(3) === 0);
  const spec = (name: string, actors: readonly string[]) => ({
    name,
    actors: actors.map((actor) => ({ name: actor })),
  });
  const stays = owners.filter((owner) => !elsewhere.includes(owner));
  const threads = [
    spec('store', ['committer', 'views@store', 'pool', ...stays]),
    ...(elsewhere.length === 0 ? [] : [spec('owners', ['views@owners', ...elsewhere])]),
    ...SENDERS.map((sender, index) => spec(`courier-${index + 1}`, [sender])),
    ...GATEWAYS.map((gateway) => spec(gateway, [`views@${gateway}`, `http@${gateway}`])),
  ];
  const threadRestarts = {
    max: 1_000,
    windowMs: 1_000,
    backoff: { initialMs: 50, factor: 2, maxMs: 500 },
  };
  return { ...SUPERVISION_DEFAULTS, threads, threadRestarts, absent: ELSEWHERE };
}

/** Everything that the parts of a server share while it is put together. */
interface Parts {
  readonly loop: Loop;
  readonly random: Random;
  readonly database: SimulatedDatabase;
  readonly verdict: Verdict;
  readonly mutation: Mutation;
  readonly mood: StorageMood;
  readonly seats: Map<string, Seat>;
  readonly lives: Map<string, ThreadLife>;
  readonly gateways: Map<string, Gateway>;
  readonly queued: Map<string, Set<string>>;
  readonly deliveries: ReadonlyMap<string, Deliveries>;
  readonly mailboxMax: number;
  readonly kill: (thread: string) => void;
}

/** The program's group commit, on turns of its thread; what it commits is looked at before anybody hears of it. */
function openCommit(parts: Parts, context: Pick<TroupeContext, 'clock'>): GroupCommit {
  const { database, verdict, mood, random, lives } = parts;
  const life = lives.get('store');
  const inner = openGroupCommit({
    path: database.path,
    queries: database.queries,
    streams: STREAMS.filter((stream) => stream.kind === 'durable'),
    metrics: silentMetrics,
    clock: context.clock,
    log: silentLogger,
    whenTurnEnds: (commit) =>
      life?.turns.push(() => {
        const before = verdict.committed.head('events');
        commit();
        verdict.committed.refresh();
        verdict.trace(`commit ${STREAMS.map(({ name }) => verdict.committed.head(name)).join()}`);
        if (!mood.diesAfterCommit || verdict.committed.head('events') === before) return;
        mood.diesAfterCommit = false;
        parts.kill('store');
      }),
  });
  database.whenClosed(() => inner.close());
  const busy: WriteOutcome = { kind: 'unavailable', fault: 'busy', detail: 'says the simulation' };
  return {
    write: (set: WriteSet) =>
      random.integer(100) < mood.unavailablePercent ? Promise.resolve(busy) : inner.write(set),
    position: (stream) => inner.position(stream),
    settled: () => inner.settled(),
    close() {
      // A thread that died has no time to commit what waited.
      if (life?.isAlive !== true) return;
      inner.close();
      verdict.committed.refresh();
    },
  };
}

/** Notes what was queued without a key: each sender that has subscribed by then owes it. */
function watchFederation(parts: Parts): Definition {
  return {
    ...federationActor,
    async start(context) {
      parts.queued.clear();
      const { handlers, ...rest } = await federationActor.start(context);
      return {
        ...rest,
        handlers: {
          ...handlers,
          'federation.queue-edu'(input) {
            const { destination, edu } = input;
            const outcome = handlers['federation.queue-edu'](input);
            if (edu.key !== null) return outcome;
            for (const owed of parts.queued.values())
              owed.add(`${destination} ${JSON.stringify(edu.content)}`);
            return outcome;
          },
          'stream.subscribe'(input) {
            const { subscriber } = input;
            if (SENDERS.some((sender) => sender === subscriber) && !parts.queued.has(subscriber))
              parts.queued.set(subscriber, new Set());
            return handlers['stream.subscribe'](input);
          },
        },
      };
    },
  };
}

/** Stands where the pool stands, which works on threads of its own: no state of this workload is large enough for it. */
const noPool: Definition = {
  name: 'pool',
  mailbox: { limit: 100, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  start: () => ({
    handlers: {
      'pool.resolve-state': () => {
        throw new Error('a state was too large to be resolved where its room is');
      },
    },
  }),
};

/** Stands where the HTTP listener of a gateway stands: clients come in through it. */
function defineDesk(parts: Parts, thread: string): Definition {
  return {
    name: `http@${thread}`,
    mailbox: { limit: 100, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    start(context) {
      const seat = parts.seats.get(thread);
      if (seat === undefined) throw new Error(`nobody sits at ${thread}`);
      const gateway: Gateway = { context, seat };
      parts.gateways.set(thread, gateway);
      context.ended.addEventListener('abort', () => {
        if (parts.gateways.get(thread) === gateway) parts.gateways.delete(thread);
      });
      return { handlers: {} };
    },
  };
}

function definitionsOf(parts: Parts, tree: SupervisionTree): ReadonlyMap<string, Definition> {
  const views = (name: string): Definition => ({
    ...defineViewsActor(name.slice('views@'.length)),
    mailbox: { limit: parts.mailboxMax, whenFull: 'refuse' },
  });
  const single: readonly Definition[] = [
    defineCommitter((context) => openCommit(parts, context)),
    cachesActor,
    watchFederation(parts),
    typingActor,
    accountDataActor,
    receiptsActor,
    roomsActor,
    noPool,
    ledgerActor,
    ...SENDERS.map((sender) => defineSender(sender, parts.deliveries.get(sender) as Deliveries)),
  ];
  const known = new Map(single.map((definition) => [definition.name, definition]));
  for (const { name: thread, actors } of tree.threads)
    for (const { name } of actors) {
      if (known.has(name)) continue;
      known.set(name, name.startsWith('http@') ? defineDesk(parts, thread) : views(name));
    }
  return known;
}

function openLife(parts: Parts, life: ThreadLife, definitions: ReadonlyMap<string, Definition>) {
  const { loop, random, database, verdict, mutation, mood, seats } = parts;
  const lanes = [loop.lane(`reads ${life.name} 1`), loop.lane(`reads ${life.name} 2`)];
  const db = slowReads(database.db, {
    random,
    lanes,
    fails: () => life.name.startsWith('gateway') && random.integer(100) < mood.failingReadsPercent,
    isAlive: () => life.isAlive,
  });
  parts.lives.set(life.name, life);
  const seat = life.name.startsWith('courier')
    ? null
    : takeSeat({
        thread: life.name,
        db,
        clock: life.clock,
        streams: STREAMS,
        verdict,
        ...mutation.seat?.(verdict),
      });
  if (seat !== null) seats.set(life.name, seat);
  life.onDeath(() => {
    if (seats.get(life.name) === seat) seats.delete(life.name);
    db.abandon();
    for (const lane of lanes) lane.end();
    seat?.close();
  });
  const config = {
    server: { name: SERVER_NAME, adminContact: '' },
    data: { path: database.folder },
  } as Config;
  const env: Environment = {
    config,
    db,
    federationClient: NOBODY_OUT_THERE,
    streams: seat?.views ?? null,
    caches: seat?.caches ?? null,
    serverKey: database.serverKey,
  };
  const options: LifeOptions<ActorMap, Environment> = {
    random,
    log: silentLogger,
    metrics: silentMetrics,
    env,
    definition(name) {
      const definition = definitions.get(name);
      if (definition === undefined) throw new Error(`no definition of ${name}`);
      return definition;
    },
  };
  return options;
}

/** Puts a server together. Nothing runs before its supervisor is started and its loop is turned. */
export function createSimulatedServer(
  seed: number,
  database: SimulatedDatabase,
  mutation: Mutation,
): SimulatedServer {
  const random = seededRandom(seed);
  const loop = createLoop(seededRandom(seed ^ 0x5bd1e995));
  const verdict = createVerdict(database.committed, USERS, (text) => loop.trace(text));
  const tree = drawTree(random);
  const contexts: LivingContexts = new Map();
  const flags: CrashFlags = new Map();
  const deliveries = new Map(
    SENDERS.map((sender): [string, Deliveries] => [sender, { sent: new Set(), latest: new Map() }]),
  );
  const parts: Parts = {
    loop,
    random,
    database,
    verdict,
    mutation,
    deliveries,
    mood: { unavailablePercent: 0, failingReadsPercent: 0, diesAfterCommit: false },
    seats: new Map(),
    lives: new Map(),
    gateways: new Map(),
    queued: new Map(),
    mailboxMax: [6, 16, 64, 1_000][random.integer(4)] ?? 64,
    kill: (thread) => platform.kill(thread),
  };
  const wire = createWire({ verdict, contexts, flags, changeContext: mutation.contexts?.(verdict) ?? {} });
  const definitions = new Map(
    [...definitionsOf(parts, tree)].map(([name, definition]) => [name, wire.watch(definition)]),
  );
  const platform = createSimulatedPlatform<ActorMap, Environment>({
    loop,
    random,
    openLife: (life) => openLife(parts, life, definitions),
  });
  const supervisor = createSupervisor<ActorMap, Environment>({
    tree,
    platform,
    clock: loop.clock,
    random,
    log: silentLogger,
    scheduler: platform.main,
    watchdog: null,
    main: () => ({
      env: null as unknown as Environment,
      definition(name) {
        throw new Error(`${name} does not live on the main thread`);
      },
      openLink: (end) => platform.openLink(end),
      vitals: null,
    }),
    onFailure: (error) => verdict.blame('liveness', String(error)),
  });
  return {
    ...parts,
    platform,
    supervisor,
    wire,
    contexts,
    flags,
    threads: tree.threads.map(({ name }) => name).filter((name) => name !== 'main'),
    async step() {
      const isGoing = await loop.step();
      for (const seat of parts.seats.values()) seat.look();
      for (const fault of verdict.committed.faults.splice(0)) verdict.blame('1.4', fault);
      return isGoing;
    },
    close() {
      for (const thread of tree.threads) platform.kill(thread.name);
    },
  };
}
