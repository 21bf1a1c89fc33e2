import type { Environment } from '../../actors/environment.ts';
import type { OutgoingEdu } from '../../actors/federation/protocol.ts';
import type { AnyActorDefinition } from '../../actors/kit/actor.ts';
import type { ActorMap } from '../../actors/protocols.ts';
import type { ViewsProtocol } from '../../actors/views/protocol.ts';
import { defineQuery } from '../../db/kit/query.ts';
import type { StorageFault } from '../../db/kit/write-set.ts';
import { step, type WriteStep } from '../../db/kit/write-set.ts';
import type { ThreadCaches } from '../../src/streams/cache.ts';
import type { Fact } from '../../src/streams/fact.ts';
import { streams } from '../../src/streams/registry.ts';
import type { Stream } from '../../src/streams/stream.ts';
import { type ActorHost, createActorHost, type Transport } from './actor-host.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import type { FederationClient } from '../../src/federation/federation-client.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { ownerEnvironmentOver } from './owner-env.ts';
import {
  cachesOf,
  committerOf,
  EVERYTHING,
  federationOf,
  type Heard,
  type Neighbour,
  roomsOf,
  senderOf,
  type WorldState,
} from './owner-neighbours.ts';

const EXPORTS = {
  'account-data': 'accountDataActor',
  'delayed-events': 'delayedEventsActor',
  'device-lists': 'deviceListsActor',
  federation: 'federationActor',
  'key-backup': 'keyBackupActor',
  keys: 'keysActor',
  presence: 'presenceActor',
  'push-rules': 'pushRulesActor',
  receipts: 'receiptsActor',
  'remote-devices': 'remoteDevicesActor',
  'thread-subscriptions': 'threadSubscriptionsActor',
  'to-device': 'toDeviceActor',
  typing: 'typingActor',
} as const;

/** The owners that a world can have. */
export type OwnerName = keyof typeof EXPORTS;

const insertRoom = defineQuery<{ readonly roomNid: number; readonly roomId: string }>({
  name: 'test.insert-room',
  sql: `INSERT INTO rooms (room_nid, room_id, room_version, creator) VALUES (:roomNid, :roomId, '11', '@creator:example.com')`,
});
const insertEvent = defineQuery<{
  readonly roomId: string;
  readonly eventId: string;
  readonly place: number;
  readonly isOutlier: number;
}>({
  name: 'test.insert-event',
  sql: `
    INSERT INTO events (event_nid, event_id, room_nid, stream_ordering, depth, origin_server_ts, pdu)
    SELECT :place, :eventId, room_nid, CASE :isOutlier WHEN 1 THEN NULL ELSE :place END, :place, 0, '{}'
      FROM rooms WHERE room_id = :roomId`,
});
const insertUser = defineQuery<{ readonly userId: string }>({
  name: 'test.insert-user',
  sql: 'INSERT OR IGNORE INTO user_ids (user_id) VALUES (:userId)',
});
const insertStateKey = defineQuery<{ readonly userId: string }>({
  name: 'test.insert-state-key',
  sql: `INSERT OR IGNORE INTO state_keys (type, state_key) VALUES ('m.room.member', :userId)`,
});
type Member = { readonly roomId: string; readonly userId: string; readonly membership: string };
const replaceMember = defineQuery<Member>({
  name: 'test.replace-member',
  sql: `
    INSERT OR REPLACE INTO current_state (room_nid, state_key_nid, event_nid, membership)
    SELECT r.room_nid, k.state_key_nid, 1, :membership
      FROM rooms r JOIN state_keys k ON k.type = 'm.room.member' AND k.state_key = :userId
     WHERE r.room_id = :roomId`,
});
const insertStateChange = defineQuery<{
  readonly roomId: string;
  readonly userId: string;
  readonly position: number;
}>({
  name: 'test.insert-state-change',
  sql: `
    INSERT INTO state_changes (position, room_nid, state_key_nid)
    SELECT :position, r.room_nid, k.state_key_nid
      FROM rooms r JOIN state_keys k ON k.type = 'm.room.member' AND k.state_key = :userId
     WHERE r.room_id = :roomId`,
});
const replaceLocalMember = defineQuery<Member>({
  name: 'test.replace-local-member',
  sql: `
    INSERT OR REPLACE INTO local_memberships (user_nid, room_nid, membership, event_nid, position, sender)
    SELECT u.user_nid, r.room_nid, :membership, 1, 1, :userId
      FROM rooms r JOIN user_ids u ON u.user_id = :userId
     WHERE r.room_id = :roomId AND :userId LIKE '%:example.com'`,
});
const insertDevice = defineQuery<{ readonly userId: string; readonly deviceId: string }>({
  name: 'test.insert-device',
  sql: 'INSERT INTO devices (user_id, device_id, created_ts) VALUES (:userId, :deviceId, 1)',
});

/** A push rule of a user's own. */
export type OwnPushRule = {
  readonly userId: string;
  readonly kind: string;
  readonly ruleId: string;
  /** JSON text. */
  readonly rule: string;
  readonly enabled: number | null;
  readonly priority: number;
};
const insertPushRule = defineQuery<OwnPushRule>({
  name: 'test.insert-push-rule',
  sql: `
    INSERT INTO push_rules (user_id, kind, rule_id, rule, enabled, priority, stream_id)
    VALUES (:userId, :kind, :ruleId, :rule, :enabled, :priority, 0)`,
});

type Subscriptions = { readonly userId: string; readonly roomId: string; readonly count: number };
const insertSubscriptions = defineQuery<Subscriptions>({
  name: 'test.insert-subscriptions',
  sql: `
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
    INSERT INTO thread_subscriptions (user_id, room_id, root_id, is_subscribed, is_automatic, stream_id)
    SELECT :userId, :roomId, '$many' || n, 1, 0, -n FROM numbers`,
});

/** Tables that {@link OwnerWorld.deleteAll} empties. */
type StreamTable =
  | 'account_data'
  | 'device_list_changes'
  | 'device_list_outbound'
  | 'push_rules'
  | 'receipts'
  | 'to_device_messages';
const deleteAllOf = (table: StreamTable) =>
  defineQuery({ name: `test.delete-all-of-${table}`, sql: `DELETE FROM ${table}` });
const DELETIONS: Readonly<Record<StreamTable, ReturnType<typeof deleteAllOf>>> = {
  account_data: deleteAllOf('account_data'),
  device_list_changes: deleteAllOf('device_list_changes'),
  device_list_outbound: deleteAllOf('device_list_outbound'),
  push_rules: deleteAllOf('push_rules'),
  receipts: deleteAllOf('receipts'),
  to_device_messages: deleteAllOf('to_device_messages'),
};

const SEEDS = [
  ...Object.values(DELETIONS),
  insertRoom,
  insertEvent,
  insertUser,
  insertStateKey,
  replaceMember,
  insertStateChange,
  replaceLocalMember,
  insertDevice,
  insertPushRule,
  insertSubscriptions,
];

/** Owners under the real kit over a real database; a committer that can be told to fail, and a subscriber that notes what it hears. */
export interface OwnerWorld {
  readonly host: ActorHost<ActorMap>;
  readonly database: TestDatabase;
  /** Of owners on the thread of the test. */
  readonly clock: FakeClock;
  /** Of the thread of the test: tell them by hand what changed. */
  readonly caches: ThreadCaches;
  readonly heard: readonly Heard[];
  /** EDUs for rooms that the federation owner was told of, unless it is one of the owners. */
  readonly edus: readonly { readonly roomId: string; readonly edu: OutgoingEdu }[];
  /** EDUs for one server that it was told of. */
  readonly directEdus: WorldState['directEdus'];
  /** What the owner of caches was told. */
  readonly facts: readonly Fact[];
  /** What the sender was told that is stored for other servers. */
  readonly stored: WorldState['stored'];
  /** Writes come back unavailable while this is not null. */
  fault: StorageFault | null;
  /** How many write sets were committed. */
  readonly commits: number;
  /** All rows of a stream that were heard, by position. */
  rows<Row>(stream: Stream<string, Row>): readonly { readonly position: number; readonly row: Row }[];
  addRoom(roomId: string, ...members: string[]): Promise<void>;
  setMember(roomId: string, userId: string, membership: string): Promise<void>;
  /** Notes at a position of the events stream that somebody's membership changed. */
  addStateChange(roomId: string, userId: string, position: number): Promise<void>;
  /** Events of a room in the order of its timeline. */
  addEvents(roomId: string, ...eventIds: string[]): Promise<void>;
  /** An event that is known, but stands in no timeline. */
  addOutlier(roomId: string, eventId: string): Promise<void>;
  addDevices(userId: string, ...deviceIds: string[]): Promise<void>;
  addPushRules(...rules: readonly OwnPushRule[]): Promise<void>;
  /** Subscriptions to threads of one room. */
  addSubscriptions(subscriptions: Subscriptions): Promise<void>;
  /** Empties tables, as clean-up of rows that nobody needs any more would. */
  deleteAll(...tables: readonly StreamTable[]): Promise<void>;
  /** Stops everything and starts it again over the same database, as a restart of the server does. */
  restartServer(): Promise<void>;
  stop(): Promise<void>;
}

export interface OwnerWorldOptions {
  readonly owners: readonly OwnerName[];
  /** `same-thread` when absent. */
  readonly transport?: Transport;
  /** The other servers, for owners on the thread of the test; nobody when absent. */
  readonly federationClient?: FederationClient;
  /** Whether the world has a subscriber; true when absent. */
  readonly isHeard?: boolean;
  /** Subscribers that hear and do nothing, and subscribe when the test says so; doubles of whom owners ask. */
  readonly bystanders?: readonly (`views@${string}` | AnyActorDefinition<ActorMap, Environment>)[];
}

/** The subscriber of a world, by name. */
export const LISTENER = 'views@listener';

function listenerOf(state: WorldState, owners: readonly OwnerName[]): Neighbour<ViewsProtocol> {
  return {
    name: LISTENER,
    ...EVERYTHING,
    start(context) {
      for (const owner of owners) {
        const names = streams.filter((stream) => stream.owner === owner).map(({ name }) => name);
        context.watch(owner, ({ event }) => {
          // Owners of streams understand this; those without one are not asked.
          if (event === 'started' && names.length > 0)
            context.ref(owner as 'typing').tell('stream.subscribe', { subscriber: LISTENER, streams: names });
        });
      }
      return {
        handlers: {
          'stream.rows': (message) => void state.heard.push({ kind: 'rows', ...message }),
          'stream.position': (message) => void state.heard.push({ kind: 'position', ...message }),
        },
      };
    },
  };
}

function bystander(name: string): Neighbour<ViewsProtocol> {
  const ignore = (): void => undefined;
  return {
    name,
    ...EVERYTHING,
    start: () => ({ handlers: { 'stream.rows': ignore, 'stream.position': ignore } }),
  };
}

function memberSteps(member: Member): WriteStep[] {
  return [
    step(insertUser, { userId: member.userId }),
    step(insertStateKey, { userId: member.userId }),
    step(replaceMember, member),
    step(replaceLocalMember, member),
  ];
}

async function startHost(
  state: WorldState,
  env: Environment,
  options: OwnerWorldOptions,
): Promise<ActorHost<ActorMap>> {
  const { owners, transport = 'same-thread', isHeard = true, bystanders = [] } = options;
  const modules = owners.map((name) => ({
    module: new URL(`../../actors/${name}/actor.ts`, import.meta.url).href,
    exportName: EXPORTS[name],
  }));
  const host = await createActorHost<ActorMap, Environment>({
    transport,
    actors: [
      committerOf(state),
      cachesOf(state),
      ...(owners.includes('federation') ? [] : [federationOf(state)]),
      senderOf(state),
      // Whom presence follows.
      ...(owners.includes('presence') ? [roomsOf()] : []),
      ...modules,
      ...(isHeard ? [listenerOf(state, owners)] : []),
      ...bystanders.map((one) => (typeof one === 'string' ? bystander(one) : one)),
    ],
    env,
    workerEnv: { module: new URL('owner-env.ts', import.meta.url).href, exportName: 'ownerEnvironment' },
    workerData: state.database.path,
    clock: state.clock,
  });
  await host.idle();
  return host;
}

function environmentOf(database: TestDatabase, { federationClient }: OwnerWorldOptions) {
  const env = ownerEnvironmentOver(database.path);
  return federationClient === undefined ? env : { ...env, federationClient };
}

/** Starts a world. Stop it at the end of the test. */
export async function createOwnerWorld(options: OwnerWorldOptions): Promise<OwnerWorld> {
  const database = await createTestDatabase({ queries: SEEDS });
  const clock = createFakeClock();
  const state: WorldState = {
    database,
    clock,
    heard: [],
    edus: [],
    directEdus: [],
    facts: [],
    stored: [],
    fault: null,
    commits: 0,
    places: 0,
  };
  let env = environmentOf(database, options);
  let host = await startHost(state, env, options);
  const seed = async (steps: readonly WriteStep[]): Promise<void> => {
    const outcome = await database.write.write({ owner: 'test', steps });
    if (outcome.kind !== 'committed') throw new Error(JSON.stringify(outcome));
  };
  const eventStep = (roomId: string, eventId: string, isOutlier: number): WriteStep => {
    state.places += 1;
    return step(insertEvent, { roomId, eventId, place: state.places, isOutlier });
  };
  const end = async (): Promise<void> => {
    await host.stop();
    env.close();
  };
  let rooms = 0;
  return {
    get host() {
      return host;
    },
    database,
    clock,
    get caches() {
      if (env.caches === null) throw new Error('there are no caches');
      return env.caches;
    },
    heard: state.heard,
    edus: state.edus,
    directEdus: state.directEdus,
    stored: state.stored,
    facts: state.facts,
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    get commits() {
      return state.commits;
    },
    rows: <Row>(stream: Stream<string, Row>) =>
      state.heard.flatMap((message) =>
        message.kind === 'rows' && message.stream === stream.name
          ? (message.rows as readonly { readonly position: number; readonly row: Row }[])
          : [],
      ),
    async addRoom(roomId, ...members) {
      rooms += 1;
      const joined = members.flatMap((userId) => memberSteps({ roomId, userId, membership: 'join' }));
      await seed([step(insertRoom, { roomNid: rooms, roomId }), ...joined]);
    },
    setMember: (roomId, userId, membership) => seed(memberSteps({ roomId, userId, membership })),
    addStateChange: (roomId, userId, position) =>
      seed([step(insertStateChange, { roomId, userId, position })]),
    addEvents: (roomId, ...eventIds) => seed(eventIds.map((eventId) => eventStep(roomId, eventId, 0))),
    addOutlier: (roomId, eventId) => seed([eventStep(roomId, eventId, 1)]),
    addDevices: (userId, ...deviceIds) =>
      seed(deviceIds.map((deviceId) => step(insertDevice, { userId, deviceId }))),
    addPushRules: (...rules) => seed(rules.map((rule) => step(insertPushRule, rule))),
    addSubscriptions: (subscriptions) => seed([step(insertSubscriptions, subscriptions)]),
    deleteAll: (...tables) => seed(tables.map((table) => step(DELETIONS[table], {}))),
    async restartServer() {
      await end();
      database.restart();
      env = environmentOf(database, options);
      host = await startHost(state, env, options);
    },
    async stop() {
      await end();
      database.close();
    },
  };
}
