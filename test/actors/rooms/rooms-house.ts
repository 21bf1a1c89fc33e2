import type { Environment } from '../../../actors/environment.ts';
import type { ActorDefinition, AnyActorDefinition, Handlers } from '../../../actors/kit/actor.ts';
import type { InputOf, Protocol } from '../../../actors/kit/protocol.ts';
import type { ActorRef } from '../../../actors/kit/ref.ts';
import type { ActorMap, ActorProtocols } from '../../../actors/protocols.ts';
import type { AccountDataProtocol } from '../../../actors/account-data/protocol.ts';
import type { CachesProtocol } from '../../../actors/caches/protocol.ts';
import type { CommitterProtocol } from '../../../actors/committer/protocol.ts';
import type { FederationProtocol } from '../../../actors/federation/protocol.ts';
import type { PoolProtocol } from '../../../actors/pool/protocol.ts';
import type { PushRulesProtocol } from '../../../actors/push-rules/protocol.ts';
import type { ThreadSubscriptionsProtocol } from '../../../actors/thread-subscriptions/protocol.ts';
import { roomsActor } from '../../../actors/rooms/actor.ts';
import type {
  ClientTransaction,
  EventProposal,
  RoomsProtocol,
  Sent,
} from '../../../actors/rooms/protocol.ts';
import type { TypingProtocol } from '../../../actors/typing/protocol.ts';
import type { ViewsProtocol } from '../../../actors/views/protocol.ts';
import type { StorageFault } from '../../../db/kit/write-set.ts';
import type { EventsRow } from '../../../db/rooms/stream-reader.ts';
import type { Config } from '../../../src/config/config.ts';
import type { FederationClient } from '../../../src/federation/federation-client.ts';
import { type Clock, systemClock } from '../../../src/kit/clock.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import type { Metrics } from '../../../src/kit/metrics.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import type { Refusal } from '../../../src/matrix/refusal.ts';
import { makeServerKey } from '../../../src/matrix/signing.ts';
import { createThreadCaches } from '../../../src/streams/cache-store.ts';
import type { Caches } from '../../../src/streams/cache.ts';
import type { Fact, FactOf } from '../../../src/streams/fact.ts';
import type { StreamRow } from '../../../src/streams/stream.ts';
import { loadAndResolve } from '../../../src/state-resolution/load-and-resolve.ts';
import { createActorHost } from '../../support/actor-host.ts';
import { countReads } from './count-reads.ts';
import { createTestDatabase, silentMetrics, type TestDatabase } from '../../support/database.ts';
import { NOBODY_OUT_THERE } from '../../support/nobody-out-there.ts';

export const SERVER = 'example.com';
export const ALICE = '@alice:example.com';
export const BOB = '@bob:example.com';
export const CAROL = '@carol:example.com';
export const REMOTE = '@remote:other.example';

/** A told message, by name. */
export interface Told {
  readonly message: string;
  readonly input: unknown;
}

/** What the committer of the house does instead of committing. */
export interface Storage {
  /** Sets that come back unavailable, from now on; null commits again. */
  fault: StorageFault | null;
  /** The next set is committed, and then the committer crashes before it answers. */
  crashAfterCommit: boolean;
  /** The next set has a defect. */
  isDefective: boolean;
  /** The fault of single sets, by their number from 1 on; null commits all. */
  faultOfSet: ((set: number) => StorageFault | null) | null;
}

/** The rooms actor over a real database, its neighbours recorded. */
export interface RoomsHouse {
  /** The time of the rooms actor, in milliseconds since the Unix epoch: it passes only when it is set. */
  readonly time: { nowMs: number };
  readonly database: TestDatabase;
  /** What they read through; what rooms say changes is dropped. */
  readonly caches: Caches;
  readonly rooms: ActorRef<RoomsProtocol>;
  readonly storage: Storage;
  /** What typing, caches and federation were told, in order. */
  readonly told: Told[];
  /** Rows that a subscriber got, in order. */
  readonly rows: StreamRow<EventsRow>[];
  /** Positions that a subscriber was told without rows. */
  readonly positions: number[];
  /** Reads of the rooms actor so far. */
  readonly reads: () => number;
  /** Transactions that were committed so far. */
  transactions(): number;
  /** One of the further actors. */
  ref<Name extends keyof ActorProtocols>(name: Name): ActorRef<ActorProtocols[Name]>;
  /** Ends an actor and starts it again; the rooms actor when not said. */
  restart(name?: keyof ActorProtocols): Promise<void>;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

type Neighbour<P extends Protocol> = ActorDefinition<P, ActorMap, Environment>;

const EVERYTHING = {
  mailbox: { limit: 100_000, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
} as const;

function recorder<P extends Protocol>(
  name: string,
  messages: readonly (keyof P & string)[],
  note: (told: Told) => void,
): Neighbour<P> {
  const handlers = Object.fromEntries(
    messages.map((message) => [
      message,
      (input: unknown) => {
        note({ message, input });
        return { kind: 'stored', position: 1 };
      },
    ]),
  );
  return { name, ...EVERYTHING, start: () => ({ handlers: handlers as never }) };
}

function committerOf(database: TestDatabase, storage: Storage): Neighbour<CommitterProtocol> {
  let sets = 0;
  return {
    name: 'committer',
    ...EVERYTHING,
    start: () => ({
      handlers: {
        async 'committer.write'(set) {
          sets += 1;
          const fault = storage.fault ?? storage.faultOfSet?.(sets) ?? null;
          if (fault !== null) return { kind: 'unavailable', fault, detail: 'of the test' };
          if (storage.isDefective) {
            storage.isDefective = false;
            return { kind: 'defect', detail: 'of the test' };
          }
          const outcome = await database.write.write(set);
          if (storage.crashAfterCommit) {
            storage.crashAfterCommit = false;
            throw new Error('crashed by the test');
          }
          return outcome;
        },
        async 'committer.read-position'({ stream }) {
          await database.write.settled();
          return { position: database.write.position(stream) };
        },
      },
    }),
  };
}

/** Resolves where it is asked: threads are the business of the pool's own tests. */
function poolOf(database: TestDatabase): Neighbour<PoolProtocol> {
  const handlers: Partial<Handlers<PoolProtocol>> = {
    async 'pool.resolve-state'(task) {
      const resolved = await loadAndResolve(database.db, task);
      if (resolved === undefined) throw new Error('a resolution without bounds gave none');
      return resolved;
    },
  };
  return { name: 'pool', ...EVERYTHING, start: () => ({ handlers: handlers as Handlers<PoolProtocol> }) };
}

function countingMetrics(counts: Map<string, number>): Metrics {
  return {
    ...silentMetrics,
    counter: (name) => ({ add: (amount = 1) => void counts.set(name, (counts.get(name) ?? 0) + amount) }),
  };
}

function createViews(house: Pick<RoomsHouse, 'rows' | 'positions'>): Neighbour<ViewsProtocol> {
  return {
    name: 'views@test',
    ...EVERYTHING,
    start(context) {
      // The rooms actor, started before, is subscribed to whenever it starts.
      context.watch('rooms', ({ event }) => {
        if (event === 'started')
          context.ref('rooms').tell('stream.subscribe', { subscriber: 'views@test', streams: ['events'] });
      });
      return {
        handlers: {
          'stream.rows': ({ rows }) => void house.rows.push(...(rows as StreamRow<EventsRow>[])),
          'stream.position': ({ position }) => void house.positions.push(position),
        },
      };
    },
  };
}

/** What a house has beside the rooms actor and its neighbours. */
export interface HouseOptions {
  /** Further actors; they start after the rooms actor. */
  readonly actors?: readonly AnyActorDefinition<ActorMap, Environment>[];
  readonly federationClient?: FederationClient;
  /** Whose timers run; the system's when absent. */
  readonly timers?: Clock;
  /** Neighbours that are told of by others than the rooms actor, by name, with what they are told. */
  readonly recorded?: readonly (readonly [string, readonly string[]])[];
}

type RoomChanged = FactOf<'room-changed'>;

/** Hears what a new life of the rooms actor has to say. */
const SENDER = [['federation-sender', ['federation-sender.note-loss']]] as const;

function isRecorded({ recorded = [] }: HouseOptions, name: string): boolean {
  return recorded.some(([other]) => other === name);
}

/** Opens a house. Call `stop` at the end of the test. */
export async function openRoomsHouse(options: HouseOptions = {}): Promise<RoomsHouse> {
  const counts = new Map<string, number>();
  const database = await createTestDatabase({ metrics: countingMetrics(counts) });
  const time = { nowMs: 1_700_000_000_000 };
  const random = seededRandom(7);
  const counted = countReads(database.db);
  const storage: Storage = { fault: null, crashAfterCommit: false, isDefective: false, faultOfSet: null };
  const told: Told[] = [];
  const threadCaches = createThreadCaches({ db: database.db, metrics: silentMetrics });
  const note = (one: Told): void => {
    told.push(one);
    if (one.message === 'caches.invalidate')
      threadCaches.applyFacts((one.input as { readonly facts: readonly Fact[] }).facts);
    if (one.message === 'caches.room-changed')
      threadCaches.applyFacts([{ fact: 'room-changed', ...(one.input as Omit<RoomChanged, 'fact'>) }]);
  };
  const heard = { rows: [] as StreamRow<EventsRow>[], positions: [] as number[] };
  const config = {
    server: { name: SERVER, adminContact: 'mailto:admin@example.com' },
    data: { path: database.folder },
    wellKnown: { client: {}, policyServerKeys: {} } as Config['wellKnown'],
  } as Config;
  const env: Environment = {
    config,
    db: counted.db,
    federationClient: options.federationClient ?? NOBODY_OUT_THERE,
    streams: null,
    caches: threadCaches,
    serverKey: makeServerKey(random.bytes(32), 'test'),
  };
  const host = await createActorHost<ActorMap, Environment>({
    transport: 'same-thread',
    actors: [
      committerOf(database, storage),
      recorder<TypingProtocol>('typing', ['typing.clear-user', 'typing.receive-remote'], note),
      recorder<CachesProtocol>('caches', ['caches.room-changed', 'caches.invalidate'], note),
      recorder<FederationProtocol>(
        'federation',
        ['federation.queue-event', 'federation.queue-edu', 'federation.queue-rooms-edu'],
        note,
      ),
      recorder<AccountDataProtocol>('account-data', ['account-data.copy-room'], note),
      recorder<PushRulesProtocol>('push-rules', ['push-rules.copy-room'], note),
      recorder<ThreadSubscriptionsProtocol>(
        'thread-subscriptions',
        ['thread-subscriptions.forget-room-of-user'],
        note,
      ),
      poolOf(database),
      ...[...SENDER.filter(([name]) => !isRecorded(options, name)), ...(options.recorded ?? [])].map(
        ([name, messages]) => recorder(name, messages, note),
      ),
      roomsActor,
      createViews(heard),
      ...(options.actors ?? []),
    ],
    env,
    random,
    clock: { ...(options.timers ?? systemClock), now: () => time.nowMs },
  });
  await host.idle();
  return {
    time,
    database,
    caches: threadCaches,
    rooms: host.ref('rooms'),
    storage,
    told,
    ...heard,
    reads: counted.reads,
    transactions: () => counts.get('commit.transactions') ?? 0,
    ref: (name) => host.ref(name),
    restart: (name = 'rooms') => host.restart(name),
    idle: () => host.idle(),
    async stop() {
      await host.stop();
      database.close();
    },
  };
}

/** What a room is made with, beside its version. */
export interface RoomOptions {
  readonly version?: string;
  readonly joinRule?: JsonObject;
  readonly powerLevels?: JsonObject;
  readonly alias?: string;
  readonly events?: readonly EventProposal[];
  readonly creationContent?: JsonObject;
}

/** The creator's join, power levels and join rules, as the gateway would build them. */
export function firstEvents(creator: string, options: RoomOptions = {}): readonly EventProposal[] {
  const users = options.version === '12' ? {} : { [creator]: 100 };
  return [
    { type: 'm.room.member', stateKey: creator, content: { membership: 'join', displayname: 'Creator' } },
    { type: 'm.room.power_levels', stateKey: '', content: { users, ...options.powerLevels } },
    { type: 'm.room.join_rules', stateKey: '', content: options.joinRule ?? { join_rule: 'public' } },
    ...(options.events ?? []),
  ];
}

/** Makes a room of Alice's and gives its id. */
export async function makeRoom(house: RoomsHouse, options: RoomOptions = {}): Promise<string> {
  const reply = await house.rooms.ask('rooms.create-room', {
    creator: ALICE,
    roomVersion: options.version ?? '11',
    creationContent: options.creationContent ?? {},
    events: firstEvents(ALICE, options),
    alias: options.alias ?? null,
    isPublic: false,
  });
  if (reply.kind !== 'created') throw new Error(`the room was refused: ${reply.error}`);
  return reply.roomId;
}

/** Names a transaction as the send endpoint does. */
export function transactionOf(roomId: string, txnId: string, deviceId = 'DEVICE'): ClientTransaction {
  return { deviceId, path: `/rooms/${roomId}/send/m.room.message`, txnId };
}

/** Sends a message event. */
export function sendMessage(
  house: RoomsHouse,
  roomId: string,
  sender: string,
  body: string,
  txnId: string | null = null,
): Promise<Sent | Refusal> {
  return house.rooms.ask('rooms.send-event', {
    roomId,
    sender,
    event: { type: 'm.room.message', content: { msgtype: 'm.text', body } },
    transaction: txnId === null ? null : transactionOf(roomId, txnId),
    originServerTs: null,
  });
}

/** Sends a state event. */
export function sendState(
  house: RoomsHouse,
  roomId: string,
  sender: string,
  event: EventProposal,
): Promise<Sent | Refusal> {
  const stateKey = event.stateKey ?? '';
  return house.rooms.ask('rooms.send-event', {
    roomId,
    sender,
    event: { ...event, stateKey },
    transaction: null,
    originServerTs: null,
  });
}

type Action = InputOf<RoomsProtocol, 'rooms.change-membership'>['action'];

/** Changes a membership; `target` is the sender when not given. */
export function change(
  house: RoomsHouse,
  roomId: string,
  action: Action,
  sender: string,
  target: string = sender,
  content: JsonObject = {},
): Promise<Sent | Refusal> {
  return house.rooms.ask('rooms.change-membership', { roomId, sender, target, action, content });
}

/** The position of an event that must have been sent. */
export function sent(reply: Sent | Refusal): Sent {
  if (reply.kind !== 'sent') throw new Error(`refused: ${reply.errcode} ${reply.error}`);
  return reply;
}

/** The error code of a reply that must be a refusal. */
export function refused(reply: { readonly kind: string } | Refusal): string {
  if (reply.kind !== 'refused') throw new Error(`not refused: ${JSON.stringify(reply)}`);
  return (reply as Refusal).errcode;
}
