import { expect } from 'chai';
import type { CommitterProtocol } from '../../../actors/committer/protocol.ts';
import type { Environment } from '../../../actors/environment.ts';
import type { ActorDefinition } from '../../../actors/kit/actor.ts';
import type { ActorRef } from '../../../actors/kit/ref.ts';
import { poolActor } from '../../../actors/pool/actor.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import { serverKeysActor } from '../../../actors/server-keys/actor.ts';
import type { ServerKeysProtocol, WantedKey } from '../../../actors/server-keys/protocol.ts';
import type {
  FederationAnswer,
  FederationClient,
  FederationRequest,
} from '../../../src/federation/federation-client.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { encodeBase64 } from '../../../src/matrix/events/unpadded-base64.ts';
import { makeServerKey, type ServerKey, signJson, verifyKeyOf } from '../../../src/matrix/signing.ts';
import { type ActorHost, createActorHost } from '../../support/actor-host.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { ownerEnvironmentOver } from '../../support/owner-env.ts';

export const PEER = 'peer.example';
export const NOTARY = 'notary.example';
export const DAY_MS = 24 * 60 * 60 * 1_000;
const EVERYTHING = {
  mailbox: { limit: 100_000, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
} as const;
/** The answer of a server that is not there. */
export const UNREACHABLE: FederationAnswer = { kind: 'unreachable', reason: 'of the test', retryTs: null };

/** A key of another server. */
export const keyOf = (byte: number, version = `v${byte}`): ServerKey =>
  makeServerKey(new Uint8Array(32).fill(byte), version);
export const publicOf = (one: ServerKey): string => encodeBase64(verifyKeyOf(one).publicKey);
export const ONE = keyOf(1);
export const TWO = keyOf(2);
export const NOTARYS = keyOf(3);

/** What writes for the actor. */
export function committerOf(
  database: TestDatabase,
): ActorDefinition<CommitterProtocol, ActorMap, Environment> {
  return {
    name: 'committer',
    ...EVERYTHING,
    start: () => ({
      handlers: {
        'committer.write': (set) => database.write.write(set),
        'committer.read-position': ({ stream }) => ({ position: database.write.position(stream) }),
      },
    }),
  };
}

/** What a server says beside the keys that it uses. */
export interface Said {
  readonly old?: readonly (readonly [ServerKey, number])[];
  readonly validUntilTs?: number;
}

export const answered = (body: JsonObject): FederationAnswer => ({ kind: 'answered', body });

/** Each of these servers has its own document, and nothing else answers. */
export const serve =
  (documents: Readonly<Record<string, JsonObject>>) =>
  ({ destination, path }: FederationRequest): FederationAnswer => {
    const document = path === '/_matrix/key/v2/server' ? documents[destination] : undefined;
    return document === undefined ? UNREACHABLE : answered(document);
  };

/** The actor with the real pool over a real database, among other servers that say what the test lets them say. */
export interface KeyWorld {
  readonly database: TestDatabase;
  readonly clock: FakeClock;
  readonly keys: ActorRef<ServerKeysProtocol>;
  /** What other servers were asked. */
  readonly requests: FederationRequest[];
  /** What they answer. */
  answer: (request: FederationRequest) => FederationAnswer | Promise<FederationAnswer>;
  /** From now on nothing is answered, until the returned function says that nobody is there. */
  hang(): () => void;
  saying(serverName: string, current: readonly ServerKey[], said?: Said): JsonObject;
  want(key: ServerKey, validAtTs?: number, serverName?: string): WantedKey;
  /** The ids of those that were found. */
  find(...wanted: readonly WantedKey[]): Promise<readonly string[]>;
  /** Who was asked for what. */
  asked(): readonly string[];
  restart(trustedKeyServers?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a world. Stop it at the end of the test. */
export async function createKeyWorld(): Promise<KeyWorld> {
  const database = await createTestDatabase();
  const clock = createFakeClock();
  const requests: FederationRequest[] = [];
  const client: FederationClient = {
    async request(request) {
      requests.push(request);
      return world.answer(request);
    },
    stream: () => Promise.reject(new Error('nothing is streamed')),
  };
  let end: () => Promise<void>;
  let host: ActorHost<ActorMap>;
  const start = async (trustedKeyServers: readonly string[] = []): Promise<void> => {
    const env = ownerEnvironmentOver(database.path);
    const federation = { ...env.config.federation, trustedKeyServers };
    host = await createActorHost<ActorMap, Environment>({
      transport: 'same-thread',
      actors: [poolActor, committerOf(database), serverKeysActor],
      env: { ...env, federationClient: client, config: { ...env.config, federation } },
      clock,
    });
    end = async () => {
      await host.stop();
      env.close();
    };
  };
  const world: KeyWorld = {
    database,
    clock,
    requests,
    get keys() {
      return host.ref('server-keys');
    },
    answer: () => UNREACHABLE,
    hang() {
      const open: (() => void)[] = [];
      world.answer = () => new Promise((resolve) => open.push(() => resolve(UNREACHABLE)));
      return () => {
        world.answer = () => UNREACHABLE;
        for (const close of open) close();
      };
    },
    saying(serverName, current, { old = [], validUntilTs = clock.now() + DAY_MS } = {}) {
      const document: JsonObject = {
        server_name: serverName,
        verify_keys: Object.fromEntries(current.map((one) => [one.keyId, { key: publicOf(one) }])),
        old_verify_keys: Object.fromEntries(
          old.map(([one, ts]) => [one.keyId, { key: publicOf(one), expired_ts: ts }]),
        ),
        valid_until_ts: validUntilTs,
      };
      return current.reduce((signed, one) => signJson(signed, serverName, one), document);
    },
    want: (key, validAtTs = clock.now(), serverName = PEER) => ({ serverName, keyId: key.keyId, validAtTs }),
    find: async (...wanted) =>
      (await world.keys.ask('server-keys.find-keys', { wanted })).found.map(({ keyId }) => keyId),
    asked: () => requests.map(({ destination, path }) => `${destination} ${path.split('/')[4] ?? ''}`),
    async restart(trustedKeyServers) {
      await end();
      await start(trustedKeyServers);
    },
    async stop() {
      await end();
      database.close();
    },
  };
  await start();
  return world;
}

/** A world for each test of the suite that calls this. */
export function eachInKeyWorld(): () => KeyWorld {
  let world: KeyWorld | undefined;
  beforeEach(async () => {
    world = await createKeyWorld();
  });
  afterEach(async () => {
    await world?.stop();
    world = undefined;
  });
  return () => {
    expect(world, 'only within a test').to.not.equal(undefined);
    return world as KeyWorld;
  };
}
