import { createHash } from 'node:crypto';
import { committerActor } from '../../../../../actors/committer/actor.ts';
import type { Environment } from '../../../../../actors/environment.ts';
import { mediaActor } from '../../../../../actors/media/actor.ts';
import { poolActor } from '../../../../../actors/pool/actor.ts';
import { previewsActor } from '../../../../../actors/previews/actor.ts';
import type { ActorMap } from '../../../../../actors/protocols.ts';
import { defineQuery } from '../../../../../db/kit/query.ts';
import { step } from '../../../../../db/kit/write-set.ts';
import type { Config } from '../../../../../src/config/config.ts';
import { loadEndpoints } from '../../../../../src/http/kit/load-endpoints.ts';
import type { FederationClient } from '../../../../../src/federation/federation-client.ts';
import { createRedirectGround } from '../../../../../src/federation/media/redirect-ground.ts';
import { createRemoteMedia } from '../../../../../src/federation/media/remote-media.ts';
import { silentLogger } from '../../../../../src/kit/logger.ts';
import { seededRandom } from '../../../../../src/kit/random.ts';
import { systemClock } from '../../../../../src/kit/clock.ts';
import { mediaFolder } from '../../../../../src/media/blob-store.ts';
import { type ActorHost, createActorHost } from '../../../../support/actor-host.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/database.ts';
import { createFakeClock, type FakeClock } from '../../../../support/fake-clock.ts';
import type { HttpClient } from '../../../../support/http-client.ts';
import { testConfig } from '../../../../actors/accounts/accounts-world.ts';
import { startTestApp, type TestApp } from '../../kit/test-app.ts';
import { NOBODY_OUT_THERE } from '../../../../support/nobody-out-there.ts';
import { checkedFetch } from '../../../../support/checked-fetch.ts';

const insertAccount = defineQuery<{ readonly userId: string }>({
  name: 'test.insert-account',
  sql: 'INSERT INTO accounts (user_id, created_ts) VALUES (:userId, 1)',
});
const insertToken = defineQuery<{ readonly tokenHash: string; readonly userId: string }>({
  name: 'test.insert-token',
  sql: `INSERT INTO access_tokens (token_hash, user_id, device_id, created_ts) VALUES (:tokenHash, :userId, 'PHONE', 1)`,
});
const insertDevice = defineQuery<{ readonly userId: string }>({
  name: 'test.insert-phone',
  sql: `INSERT INTO devices (user_id, device_id, created_ts) VALUES (:userId, 'PHONE', 1)`,
});

/** Who may call; their token is their name. */
const PEOPLE = ['ann', 'bob'];

/** An answer with its bytes. */
export interface BytesAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

/** The media endpoints on a real socket, above the real actors. */
export interface MediaWorld {
  readonly app: TestApp;
  readonly host: ActorHost<ActorMap>;
  readonly database: TestDatabase;
  readonly clock: FakeClock;
  readonly config: Config;
  /** Where the files are. */
  readonly folder: string;
  readonly ann: HttpClient;
  readonly bob: HttpClient;
  /** Any request, as Ann unless the headers say otherwise, with the bytes of its answer. */
  fetch(path: string, init?: RequestInit): Promise<BytesAnswer>;
  /** Uploads as Ann and gives the media id. */
  upload(bytes: Uint8Array | string, contentType: string, fileName?: string): Promise<string>;
  close(): Promise<void>;
}

/** The media id of an mxc URI. */
export function mediaIdOf(uri: unknown): string {
  return String(uri).split('/').at(-1) ?? '';
}

async function seedPeople(database: TestDatabase): Promise<void> {
  for (const name of PEOPLE) {
    const userId = `@${name}:example.org`;
    const tokenHash = createHash('sha256').update(name).digest('hex');
    const steps = [
      step(insertAccount, { userId }),
      step(insertDevice, { userId }),
      step(insertToken, { tokenHash, userId }),
    ];
    const outcome = await database.write.write({ owner: 'test', steps });
    if (outcome.kind !== 'committed') throw new Error(JSON.stringify(outcome));
  }
}

/** Starts the world. Close it at the end of the test. @param federationClient the other servers; nobody when absent */
export async function startMediaWorld(
  environment: Readonly<Record<string, string>> = {},
  federationClient: FederationClient = NOBODY_OUT_THERE,
): Promise<MediaWorld> {
  const database = await createTestDatabase({ queries: [insertAccount, insertDevice, insertToken] });
  await seedPeople(database);
  // The committer of the actors takes the writing over.
  database.write.close();
  const clock = createFakeClock();
  const config = testConfig(database.folder, environment);
  const listening = { ...config, server: { ...config.server, listen: { host: '127.0.0.1', port: 0 } } };
  const serverKey = { keyId: 'ed25519:test', seed: new Uint8Array(32) };
  const env: Environment = {
    config,
    db: database.db,
    streams: null,
    caches: null,
    serverKey,
    federationClient,
  };
  const host = await createActorHost<ActorMap, Environment>({
    transport: 'same-thread',
    actors: [committerActor, poolActor, mediaActor, previewsActor],
    env,
    clock,
  });
  await host.idle();
  const endpoints = (await loadEndpoints()).filter(({ file }) => file.includes('/client/media/'));
  const remoteMedia = createRemoteMedia({
    client: federationClient,
    loadGround: () =>
      Promise.resolve(createRedirectGround({ ...config.federation, allowPrivateAddresses: true })),
    media: host.ref('media'),
    config,
    clock,
    random: seededRandom(1),
    log: silentLogger,
  });
  const app = await startTestApp(
    endpoints.map(({ endpoint }) => endpoint),
    {
      config: listening,
      clock,
      db: database.db,
      services: { media: host.ref('media'), previews: host.ref('previews'), remoteMedia },
    },
  );
  const { address } = app.server;
  const fetchBytes = async (path: string, init: RequestInit = {}): Promise<BytesAnswer> => {
    const headers = { Authorization: 'Bearer ann', ...(init.headers as Record<string, string> | undefined) };
    const answer = await checkedFetch(`http://${address.host}:${address.port}${path}`, { ...init, headers });
    return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
  };
  return {
    app,
    host,
    database,
    clock,
    config,
    folder: mediaFolder(config.data.path),
    ann: app.client.withToken('ann'),
    bob: app.client.withToken('bob'),
    fetch: fetchBytes,
    async upload(bytes, contentType, fileName) {
      const query = fileName === undefined ? '' : `?filename=${encodeURIComponent(fileName)}`;
      const { bytes: answer } = await fetchBytes(`/_matrix/media/v3/upload${query}`, {
        method: 'POST',
        body: bytes as NonNullable<RequestInit['body']>,
        headers: contentType === '' ? {} : { 'Content-Type': contentType },
      });
      return mediaIdOf((JSON.parse(answer.toString()) as { content_uri: string }).content_uri);
    },
    async close() {
      await app.close();
      await host.stop();
      database.close();
    },
  };
}

/** Resolves when `look` gives true, which is asked again and again for a while. */
export async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const end = systemClock.monotonic() + 5_000;
  while (!(await look())) {
    if (systemClock.monotonic() > end) throw new Error(`waited for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
