import { accountDataActor } from '../../../actors/account-data/actor.ts';
import { cachesActor } from '../../../actors/caches/actor.ts';
import { defineCommitter } from '../../../actors/committer/actor.ts';
import type { Environment, TroupeContext } from '../../../actors/environment.ts';
import { federationReceiverActor } from '../../../actors/federation-receiver/actor.ts';
import { federationSenderActor } from '../../../actors/federation-sender/actor.ts';
import { federationActor } from '../../../actors/federation/actor.ts';
import { SUPERVISION_DEFAULTS, type SupervisionTree } from '../../../actors/kit/supervision-tree.ts';
import { createSupervisor, type Supervisor } from '../../../actors/kit/supervisor.ts';
import type { PoolProtocol } from '../../../actors/pool/protocol.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import { policyServersActor } from '../../../actors/policy-servers/actor.ts';
import { receiptsActor } from '../../../actors/receipts/actor.ts';
import { remoteRoomsActor } from '../../../actors/remote-rooms/actor.ts';
import { roomsActor } from '../../../actors/rooms/actor.ts';
import { serverKeysActor } from '../../../actors/server-keys/actor.ts';
import { typingActor } from '../../../actors/typing/actor.ts';
import { defineViewsActor } from '../../../actors/views/actor.ts';
import { openGroupCommit } from '../../../db/kit/group-commit.ts';
import type { WriteOutcome } from '../../../db/kit/write-set.ts';
import type { Config } from '../../../src/config/config.ts';
import { openReachability } from '../../../src/federation/client/reachability.ts';
import { checkEvents } from '../../../src/federation/trust/check-events.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import type { Random } from '../../../src/kit/random.ts';
import { loadAndResolve } from '../../../src/state-resolution/load-and-resolve.ts';
import { accountDataStream } from '../../../src/streams/account-data-stream.ts';
import { createThreadCaches } from '../../../src/streams/cache-store.ts';
import { cachesStream } from '../../../src/streams/caches-stream.ts';
import { eventsStream } from '../../../src/streams/events-stream.ts';
import { receiptsStream } from '../../../src/streams/receipts-stream.ts';
import type { Stream } from '../../../src/streams/stream.ts';
import { createThreadViews } from '../../../src/streams/thread-views.ts';
import { typingStream } from '../../../src/streams/typing-stream.ts';
import { silentMetrics } from '../../support/database.ts';
import { NOBODY_OUT_THERE } from '../../support/nobody-out-there.ts';
import type { SimulatedDatabase } from '../database.ts';
import type { Loop } from '../loop.ts';
import { slowReads } from '../slow-reads.ts';
import {
  createSimulatedPlatform,
  type LifeOptions,
  type SimulatedPlatform,
  type ThreadLife,
} from '../threads.ts';
import { createVerdict, type Verdict } from '../verdict.ts';
import { type CrashFlags, createWire, type Definition, type LivingContexts } from '../wire.ts';
import type { FederationMutation } from './federation-mutation.ts';
import { openFront } from './front.ts';
import type { Door, Network } from './network.ts';
import { createWireClient } from './wire-client.ts';

/** The streams that are followed here. */
const STREAMS: readonly Stream[] = [
  eventsStream,
  accountDataStream,
  receiptsStream,
  typingStream,
  cachesStream,
];
const COURIERS = [
  'server-keys',
  'federation-sender',
  'federation-receiver',
  'policy-servers',
  'remote-rooms',
];
const OWNERS = ['caches', 'federation', 'typing', 'account-data', 'receipts', 'rooms'];

/** What storage does beside storing. */
export interface StorageMood {
  /** Write sets that come back unavailable, in percent. */
  unavailablePercent: number;
  /** The thread dies after the next commit, before anybody is told. */
  diesAfterCommit: boolean;
}

/** Its users and other servers reach a server through this. */
export interface Gate {
  readonly context: TroupeContext;
  readonly door: Door;
}

/** One whole server among others. */
export interface MemberServer {
  readonly name: string;
  readonly users: readonly string[];
  readonly database: SimulatedDatabase;
  readonly verdict: Verdict;
  readonly platform: SimulatedPlatform;
  readonly supervisor: Supervisor<ActorMap>;
  readonly contexts: LivingContexts;
  readonly flags: CrashFlags;
  readonly mood: StorageMood;
  readonly threads: readonly string[];
  /** Undefined while nobody answers. */
  gate(): Gate | undefined;
  /** Looks at what was committed. */
  look(): void;
  close(): void;
}

export interface MemberServerOptions {
  readonly name: string;
  readonly users: readonly string[];
  readonly loop: Loop;
  readonly random: Random;
  readonly network: Network;
  readonly database: SimulatedDatabase;
  readonly mutation: FederationMutation;
}

interface Parts extends MemberServerOptions {
  readonly verdict: Verdict;
  readonly mood: StorageMood;
  readonly lives: Map<string, ThreadLife>;
  readonly gates: Map<string, Gate>;
  readonly config: Config;
  readonly kill: (thread: string) => void;
}

function drawTree(random: Random): SupervisionTree {
  const spec = (name: string, actors: readonly string[]) => ({
    name,
    actors: actors.map((actor) => ({ name: actor })),
  });
  // Where owners live decides what may overtake what.
  const elsewhere = random.integer(3) === 0 ? OWNERS.filter(() => random.integer(2) === 0) : [];
  const stays = OWNERS.filter((owner) => !elsewhere.includes(owner));
  const threads = [
    spec('store', ['committer', 'views@store', 'pool', ...stays]),
    spec('couriers', ['views@couriers', ...elsewhere, ...COURIERS]),
    spec('gateway-1', ['views@gateway-1', 'http@gateway-1']),
  ];
  const threadRestarts = {
    max: 1_000,
    windowMs: 1_000,
    backoff: { initialMs: 50, factor: 2, maxMs: 500 },
  };
  return { ...SUPERVISION_DEFAULTS, threads, threadRestarts };
}

/** The program's group commit, on turns of its thread; what it commits is looked at before anybody hears of it. */
function openCommit(parts: Parts, context: Pick<TroupeContext, 'clock'>) {
  const { database, verdict, mood, random } = parts;
  const life = parts.lives.get('store');
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
        if (!mood.diesAfterCommit || verdict.committed.head('events') === before) return;
        mood.diesAfterCommit = false;
        parts.kill('store');
      }),
  });
  database.whenClosed(() => inner.close());
  const busy: WriteOutcome = { kind: 'unavailable', fault: 'busy', detail: 'says the simulation' };
  return {
    ...inner,
    write: (set: Parameters<typeof inner.write>[0]) =>
      random.integer(100) < mood.unavailablePercent ? Promise.resolve(busy) : inner.write(set),
    close() {
      // A thread that died has no time to commit what waited.
      if (life?.isAlive !== true) return;
      inner.close();
      verdict.committed.refresh();
    },
  };
}

/** The pool's work, done at once: threads of its own would bring time into it that the seed does not decide. */
function definePool({ database }: Parts): Definition {
  const unused = (): never => {
    throw new Error('the simulation does not ask for this');
  };
  const handlers: Partial<Record<keyof PoolProtocol, (task: never) => unknown>> = {
    'pool.check-events': (task: Parameters<typeof checkEvents>[0]) => ({
      kind: 'checked',
      events: checkEvents(task),
    }),
    'pool.resolve-state': (task: Parameters<typeof loadAndResolve>[1]) => loadAndResolve(database.db, task),
  };
  return {
    name: 'pool',
    mailbox: { limit: 100, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    start: () => ({
      handlers: new Proxy(handlers as never, {
        get: (target, name) => (Reflect.get(target, name) as unknown) ?? unused,
      }),
    }),
  };
}

/** Stands where the HTTP listener of a gateway stands. */
function defineGate(parts: Parts, thread: string): Definition {
  return {
    name: `http@${thread}`,
    mailbox: { limit: 100, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    start(context) {
      const gate: Gate = { context, door: openFront(context) };
      parts.gates.set(thread, gate);
      context.ended.addEventListener('abort', () => {
        if (parts.gates.get(thread) === gate) parts.gates.delete(thread);
      });
      return { handlers: {} };
    },
  };
}

function definitionsOf(parts: Parts, tree: SupervisionTree): ReadonlyMap<string, Definition> {
  const single: readonly Definition[] = [
    defineCommitter((context) => openCommit(parts, context)),
    definePool(parts),
    cachesActor,
    federationActor,
    typingActor,
    accountDataActor,
    receiptsActor,
    roomsActor,
    serverKeysActor,
    federationSenderActor,
    federationReceiverActor,
    policyServersActor,
    remoteRoomsActor,
  ];
  const known = new Map(single.map((definition) => [definition.name, definition]));
  for (const { name: thread, actors } of tree.threads)
    for (const { name } of actors) {
      if (known.has(name)) continue;
      known.set(name, name.startsWith('http@') ? defineGate(parts, thread) : defineViewsActor(thread));
    }
  return known;
}

function openLife(
  parts: Parts,
  life: ThreadLife,
  definitions: ReadonlyMap<string, Definition>,
): LifeOptions<ActorMap, Environment> {
  const { loop, random, database, config, network, mutation } = parts;
  const { serverKey } = database;
  const { clock } = life;
  const lanes = [loop.lane(`reads ${life.name} 1`), loop.lane(`reads ${life.name} 2`)];
  const db = slowReads(database.db, { random, lanes, fails: () => false, isAlive: () => life.isAlive });
  parts.lives.set(life.name, life);
  const caches = createThreadCaches({ db, metrics: silentMetrics });
  const views = createThreadViews({
    subscriber: `views@${life.name}`,
    db,
    caches,
    clock,
    metrics: silentMetrics,
    log: silentLogger,
    streams: STREAMS,
  });
  life.onDeath(() => {
    db.abandon();
    for (const lane of lanes) lane.end();
    views.close();
  });
  // Nobody on the store asks other servers.
  const isOutbound = life.name !== 'store';
  const reachability = isOutbound ? openReachability(clock, db, () => caches) : null;
  const client =
    reachability === null
      ? NOBODY_OUT_THERE
      : createWireClient({ config, serverKey, clock, reachability, network });
  const env: Environment = {
    config,
    db,
    federationClient: mutation.client?.(client) ?? client,
    ...(reachability !== null && { reachability }),
    streams: views,
    caches,
    serverKey,
  };
  return {
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
}

/** Puts a server together. Nothing runs before its supervisor is started and the loop is turned. */
export function createMemberServer(options: MemberServerOptions): MemberServer {
  const { name, random, database, network, mutation } = options;
  // Lanes are named in the trace: whose they are is to be seen.
  const loop: Loop = { ...options.loop, lane: (lane) => options.loop.lane(`${name}/${lane}`) };
  const verdict = createVerdict(database.committed, options.users, (text) => loop.trace(`${name} ${text}`));
  const contexts: LivingContexts = new Map();
  const flags: CrashFlags = new Map();
  const tree = drawTree(random);
  const parts: Parts = {
    ...options,
    loop,
    verdict,
    mood: { unavailablePercent: 0, diesAfterCommit: false },
    lives: new Map(),
    gates: new Map(),
    config: {
      server: { name, adminContact: '' },
      data: { path: database.folder },
      federation: { trustedKeyServers: [] as readonly string[] },
    } as Config,
    kill: (thread) => platform.kill(thread),
  };
  const wire = createWire({ verdict, contexts, flags, changeContext: mutation.contexts?.(name) ?? {} });
  const definitions = new Map(
    [...definitionsOf(parts, tree)].map(([actor, definition]) => [actor, wire.watch(definition)]),
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
      definition(actor) {
        throw new Error(`${actor} does not live on the main thread`);
      },
      openLink: (end) => platform.openLink(end),
      vitals: null,
    }),
    onFailure: (error) => verdict.blame('liveness', String(error)),
  });
  const gate = (): Gate | undefined => parts.gates.get('gateway-1');
  network.connect(name, () => gate()?.door);
  return {
    ...parts,
    platform,
    supervisor,
    contexts,
    flags,
    threads: tree.threads.map((thread) => thread.name).filter((thread) => thread !== 'main'),
    gate,
    look() {
      // Events beside the timeline take positions too, and what resolution brings back into the state is there a second time: the rest must hold.
      for (const fault of database.committed.faults.splice(0))
        if (fault.startsWith('the mark')) verdict.blame('1.4', fault);
    },
    close() {
      for (const thread of tree.threads) platform.kill(thread.name);
    },
  };
}
