import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Environment } from '../../../actors/environment.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import { loadActor } from '../../../actors/registry.ts';
import { httpActor } from '../../../actors/http/actor.ts';
import { type LoadedEndpoint, loadEndpoints } from '../../../src/http/kit/load-endpoints.ts';
import type { FederationClient } from '../../../src/federation/federation-client.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey } from '../../../src/matrix/signing.ts';
import { createThreadCaches } from '../../../src/streams/cache-store.ts';
import { createThreadViews } from '../../../src/streams/thread-views.ts';
import type { ThreadViews } from '../../../src/streams/view.ts';
import type { SyncServices } from '../../../src/sync/sync-services.ts';
import { type ActorHost, createActorHost } from '../../support/actor-host.ts';
import { createTestDatabase, silentMetrics, type TestDatabase } from '../../support/database.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createHttpClient, type HttpAnswer, type HttpClient } from '../../support/http-client.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { NOBODY_OUT_THERE } from '../../support/nobody-out-there.ts';

/** In start order: owners that are asked by others come first. */
const ACTORS = [
  'committer',
  'pool',
  'caches',
  'federation',
  'typing',
  'presence',
  'device-lists',
  'to-device',
  'keys',
  'key-backup',
  'push-rules',
  'thread-subscriptions',
  'account-data',
  'receipts',
  'rooms',
  'delayed-events',
  'push',
  'push-sender',
  'search',
  'accounts',
  'user-directory',
  'server-notices',
  'server-keys',
  'media',
  'federation-sender',
  'remote-devices',
  'federation-receiver',
  'remote-rooms',
] as const;

/** What a thread offers to endpoints without asking any actor. */
const OF_THE_THREAD = [
  'config',
  'federationClient',
  'remoteQueries',
  'remoteMedia',
  'clock',
  'random',
  'db',
  'cached',
  'streams',
  'served',
] as const;

/** What a test asks of sync. */
export type SyncQuery = Readonly<Record<string, string | number | boolean>>;

/** Any part of an answer: tests say what they expect of it. */
// An answer is looked into at many depths; chai says what is missing.
// oxlint-disable-next-line typescript/no-explicit-any
export type Answer = any;

/** A device of a user of the world. */
export interface Person {
  readonly userId: string;
  readonly deviceId: string;
  readonly http: HttpClient;
  /** Expects 200 and gives the body. */
  sync(query?: SyncQuery): Promise<Answer>;
  /** Syncs from the `next_batch` of the last call, from the beginning at first; with a filter when given. */
  next(filter?: JsonObject, query?: SyncQuery): Promise<Answer>;
  /** Expects 200 and gives the body. */
  get(path: string, query?: SyncQuery): Promise<Answer>;
  put(path: string, body?: unknown): Promise<Answer>;
  post(path: string, body?: unknown): Promise<Answer>;
  /** Makes a room; gives its id. */
  room(body?: JsonObject): Promise<string>;
  /** `join`, `leave`, `forget`; or `invite`, `kick`, `ban`, `unban` of somebody else. */
  act(action: string, roomId: string, target?: Person): Promise<void>;
  /** Sends a text message, gives the event id. */
  say(roomId: string, body: string): Promise<string>;
}

/** A whole server on the thread of the test, on a clock that stands still. */
export interface SyncWorld {
  readonly clock: FakeClock;
  readonly host: ActorHost<ActorMap>;
  readonly database: TestDatabase;
  readonly streams: ThreadViews;
  /** What endpoints give to sync. */
  readonly services: SyncServices;
  /** Resolves when the next long poll of `services` is parked. */
  parked(): Promise<void>;
  /** Registers a user. */
  person(localpart: string): Promise<Person>;
  /** Another device of a user. */
  device(person: Person): Promise<Person>;
  stop(): Promise<void>;
}

function expectOk(answer: HttpAnswer, what: string): Answer {
  if (answer.status !== 200) throw new Error(`${what}: ${answer.status} ${answer.text}`);
  return answer.body;
}

function personOf(http: HttpClient, userId: string, deviceId: string): Person {
  let since: string | undefined;
  let messages = 0;
  const client = '/_matrix/client/v3';
  const call = async (method: string, path: string, options: object): Promise<Answer> =>
    expectOk(await http.request(method, `${client}${path}`, options), `${method} ${path}`);
  const person: Person = {
    userId,
    deviceId,
    http,
    sync: (query = {}) => call('GET', '/sync', { query }),
    async next(filter, query = {}) {
      const answer = await person.sync({
        ...query,
        ...(since === undefined ? {} : { since }),
        ...(filter === undefined ? {} : { filter: JSON.stringify(filter) }),
      });
      since = answer.next_batch as string;
      return answer;
    },
    get: (path, query = {}) => call('GET', path, { query }),
    put: (path, body = {}) => call('PUT', path, { body }),
    post: (path, body = {}) => call('POST', path, { body }),
    room: async (body = { preset: 'public_chat' }) => (await person.post('/createRoom', body)).room_id,
    async act(action, roomId, target) {
      const body = target === undefined ? {} : { user_id: target.userId };
      await person.post(`/rooms/${encodeURIComponent(roomId)}/${action}`, body);
    },
    async say(roomId, body) {
      messages += 1;
      const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${deviceId}-${messages}`;
      return (await person.put(path, { msgtype: 'm.text', body })).event_id;
    },
  };
  return person;
}

/** The endpoints that do without the actors that are not here. */
async function loadPossibleEndpoints(): Promise<readonly LoadedEndpoint[]> {
  const present: ReadonlySet<string> = new Set([...ACTORS, ...OF_THE_THREAD]);
  const endpoints = await loadEndpoints();
  return endpoints.filter(({ endpoint }) => endpoint.needs.every((need) => present.has(need)));
}

async function openHost(clock: FakeClock, env: Environment): Promise<ActorHost<ActorMap>> {
  const singles = await Promise.all(ACTORS.map((name) => loadActor(name)));
  const [committer, ...owners] = singles;
  const views = await loadActor('views@main');
  if (committer === undefined) throw new Error('there is no committer');
  return createActorHost<ActorMap, Environment>({
    transport: 'same-thread',
    actors: [committer, views, ...owners, httpActor('main', loadPossibleEndpoints)],
    env,
    clock,
  });
}

/**
 * Opens a world. Call `stop` at the end of the test.
 *
 * @param options `TROUPE_…` variables beside those that every world has
 * @param federationClient the other servers; nobody when absent
 */
export async function openSyncWorld(
  options: Readonly<Record<string, string>> = {},
  federationClient: FederationClient = NOBODY_OUT_THERE,
): Promise<SyncWorld> {
  const database = await createTestDatabase();
  const clock = createFakeClock();
  const config = loadConfig({
    defaults: { file: 'config.toml', text: readFileSync('config.toml', 'utf8') },
    environment: {
      TROUPE_SERVER_NAME: 'example.org',
      TROUPE_SERVER_LISTEN: '127.0.0.1:0',
      TROUPE_SERVER_GATEWAYS: '1',
      TROUPE_DATA_PATH: database.folder,
      TROUPE_RATE_LIMITS_ENABLED: 'false',
      ...options,
    },
    roomVersions: ROOM_VERSIONS.map(({ id }) => id),
    cores: availableParallelism(),
  });
  const environment = { metrics: silentMetrics, clock, log: silentLogger };
  const caches = createThreadCaches({ db: database.db, metrics: silentMetrics });
  const streams = createThreadViews({ subscriber: 'views@main', db: database.db, caches, ...environment });
  const serverKey = makeServerKey(new Uint8Array(32).fill(7), 'test');
  const env = { config, db: database.db, streams, caches, serverKey, federationClient };
  const host = await openHost(clock, env);
  const address = await host.ref('http@main').ask('http.read-addresses', null);
  const http = createHttpClient(address);

  async function logIn(userId: string): Promise<Person> {
    const device = { deviceId: null, initialDeviceDisplayName: null };
    const login = await host.ref('accounts').ask('accounts.log-in', { userId, ...device });
    if (isRefusal(login)) throw new Error(login.error);
    await Promise.all(login.marks.map(({ stream, position }) => streams.reached(stream, position)));
    return personOf(http.withToken(login.accessToken), userId, login.deviceId);
  }

  let noteParked = (): void => undefined;
  const watched: ThreadViews = {
    ...streams,
    park(...args) {
      const parked = streams.park(...args);
      noteParked();
      return parked;
    },
  };

  return {
    clock,
    host,
    database,
    streams,
    async person(localpart) {
      const userId = `@${localpart}:example.org`;
      const registered = await host.ref('accounts').ask('accounts.register', {
        userId,
        passwordHash: null,
        isAdmin: false,
        displayname: localpart,
        registrationToken: null,
        device: null,
      });
      if (isRefusal(registered)) throw new Error(registered.error);
      return logIn(userId);
    },
    services: {
      db: database.db,
      cached: caches,
      streams: watched,
      clock,
      presence: host.ref('presence'),
      'to-device': host.ref('to-device'),
    },
    parked() {
      const { promise, resolve } = Promise.withResolvers<void>();
      noteParked = resolve;
      return promise;
    },
    device: (person) => logIn(person.userId),
    async stop() {
      http.close();
      await host.stop();
      streams.close();
      database.close();
    },
  };
}
