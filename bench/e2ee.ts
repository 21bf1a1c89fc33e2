import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../src/kit/json.ts';
import { cryptoDevice } from '../test/support/crypto-device.ts';
import { type BenchUser, expectOk, registerUser } from './kit/client.ts';
import { Connection } from './kit/connection.ts';
import { type BenchRow, percentile, report } from './kit/figures.ts';
import { httpFloor, sqliteFloor } from './kit/floors.ts';
import { startInBench } from './kit/large-room.ts';
import { type BenchServer, processorMs, startServer } from './kit/server.ts';

/** Devices that one request reaches. */
const SIZES = [10, 100, 1_000];
const DEVICES_PER_USER = 10;
const ONE_TIME_KEYS = 50;
const ALGORITHM = 'signed_curve25519';
/** A measurement repeats its request until it has used so much time, in milliseconds. */
const LENGTH_MS = 2_000;
/** Of a message to a device: an encrypted room key has about as much. */
const CIPHERTEXT = 'x'.repeat(700);
const AT_ONCE = 8;
/** Keys of a device that the claims of one size use up, from the smallest size on: together fewer than it has. */
const CLAIMS = [20, 15, 10];
/** Messages of one operation. */
const MESSAGES_MAX = 20_000;

interface Login {
  readonly userId: string;
  readonly deviceId: string;
  readonly token: string;
}

interface Device {
  readonly user: BenchUser & { readonly deviceId: string };
  readonly keys: ReturnType<typeof cryptoDevice>;
}

/** What one kind of request does, and how often it can be repeated. */
interface Operation {
  readonly name: string;
  /** Devices or keys that one request is about. */
  readonly size: number;
  readonly repeatMax: number;
  readonly once: () => Promise<number>;
}

async function post(user: BenchUser, path: string, body: JsonObject, what: string): Promise<number> {
  const reply = await user.connection.request(
    'POST',
    `/_matrix/client/v3${path}`,
    user.token,
    JSON.stringify(body),
  );
  expectOk(reply, what);
  return reply.tookMs;
}

/** Users with ten devices each, made without passwords: a thousand of those to be hashed would take a minute. */
async function logInAll(folder: string): Promise<Login[]> {
  const program = await startInBench(folder);
  const accounts = program.supervisor.ref('accounts');
  const logins: Login[] = [];
  for (let index = 0; index < Math.max(...SIZES); index += 1) {
    const userId = `@e2ee${Math.floor(index / DEVICES_PER_USER)}:localhost`;
    if (index % DEVICES_PER_USER === 0)
      await accounts.ask('accounts.register', {
        userId,
        passwordHash: null,
        isAdmin: false,
        displayname: null,
        registrationToken: null,
        device: null,
      });
    const device = { userId, deviceId: null, initialDeviceDisplayName: `device ${index}` };
    const login = await accounts.ask('accounts.log-in', device);
    if (login.kind === 'refused') throw new Error(`log-in: ${login.error}`);
    logins.push({ userId, deviceId: login.deviceId, token: login.accessToken });
  }
  await program.stop();
  return logins;
}

/** All devices of a user share a connection, for one request at a time. */
async function connectAll(port: number, logins: readonly Login[]): Promise<Device[]> {
  const connections = await Promise.all(
    Array.from({ length: logins.length / DEVICES_PER_USER }, () => Connection.open(port)),
  );
  return logins.map((login, index) => {
    const connection = connections[Math.floor(index / DEVICES_PER_USER)];
    if (connection === undefined) throw new Error(`no connection for ${login.userId}`);
    return { user: { ...login, connection }, keys: cryptoDevice(login.userId, login.deviceId) };
  });
}

function devicesByUser(devices: readonly Device[], value: JsonObject | string): JsonObject {
  const byUser = Map.groupBy(devices, ({ user }) => user.userId);
  return Object.fromEntries(
    [...byUser].map(([userId, own]) => [
      userId,
      Object.fromEntries(own.map(({ user }) => [user.deviceId, value])),
    ]),
  );
}

/** Device keys and one-time keys of all devices, several at a time: a device does so once in its life. */
async function measureUploads(server: BenchServer, devices: readonly Device[]): Promise<BenchRow> {
  const bodies = devices.map(({ keys }) => ({
    device_keys: keys.keys,
    one_time_keys: keys.oneTimeKeys(ONE_TIME_KEYS),
    fallback_keys: keys.fallbackKey('F'),
  }));
  const queues = Array.from({ length: AT_ONCE }, () => [] as number[]);
  // All devices of a user in one queue: they share a connection.
  for (const index of devices.keys()) queues[Math.floor(index / DEVICES_PER_USER) % AT_ONCE]?.push(index);
  const times: number[] = [];
  const [startedAt, usedMs] = [performance.now(), processorMs(server.pid)];
  await Promise.all(
    queues.map(async (queue) => {
      for (const index of queue) {
        const [device, body] = [devices[index], bodies[index]];
        if (device === undefined || body === undefined) throw new Error(`no device ${index}`);
        times.push(await post(device.user, '/keys/upload', body, 'upload'));
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  return {
    name: `upload of ${ONE_TIME_KEYS} keys and those of the device, ${AT_ONCE} at a time`,
    figures: {
      'requests/s': devices.length / seconds,
      'p50 ms': percentile(times, 0.5),
      'CPU µs / request': ((processorMs(server.pid) - usedMs) * 1_000) / devices.length,
      'CPU µs / item': ((processorMs(server.pid) - usedMs) * 1_000) / (devices.length * ONE_TIME_KEYS),
    },
  };
}

async function measure(server: BenchServer, { name, size, repeatMax, once }: Operation): Promise<BenchRow> {
  const times: number[] = [];
  const [startedAt, usedMs] = [performance.now(), processorMs(server.pid)];
  // One after another: how the costs of one request grow is the question.
  while (times.length < repeatMax && performance.now() - startedAt < LENGTH_MS) times.push(await once());
  const seconds = (performance.now() - startedAt) / 1_000;
  const usedUs = (processorMs(server.pid) - usedMs) * 1_000;
  return {
    name: `${name}, ${size} at once`,
    figures: {
      'requests/s': times.length / seconds,
      'items/s': (times.length * size) / seconds,
      'p50 ms': percentile(times, 0.5),
      'CPU µs / request': usedUs / times.length,
      'CPU µs / item': usedUs / (times.length * size),
    },
  };
}

let transactions = 0;

function operationsOn(devices: readonly Device[], size: number, asker: BenchUser): readonly Operation[] {
  const some = devices.slice(0, size);
  const claims = { one_time_keys: devicesByUser(some, ALGORITHM) };
  const users = Object.fromEntries(some.map(({ user }) => [user.userId, []]));
  const send = async (type: string, messages: JsonObject): Promise<number> => {
    transactions += 1;
    const path = `/_matrix/client/v3/sendToDevice/${type}/t${transactions}`;
    const reply = await asker.connection.request('PUT', path, asker.token, JSON.stringify({ messages }));
    expectOk(reply, 'sendToDevice');
    return reply.tookMs;
  };
  const encrypted = { algorithm: 'm.olm.v1.curve25519-aes-sha2', ciphertext: CIPHERTEXT };
  const each = devicesByUser(some, encrypted);
  const everyOf = Object.fromEntries(some.map(({ user }) => [user.userId, { '*': encrypted }]));
  return [
    {
      name: 'query of devices',
      size,
      repeatMax: 1_000,
      once: () => post(asker, '/keys/query', { device_keys: users }, 'query'),
    },
    {
      name: 'claim of one-time keys',
      size,
      repeatMax: CLAIMS[SIZES.indexOf(size)] ?? 0,
      once: () => post(asker, '/keys/claim', claims, 'claim'),
    },
    {
      name: 'messages to devices by name',
      size,
      repeatMax: MESSAGES_MAX / size,
      once: () => send('m.room.encrypted', each),
    },
    {
      name: 'messages to devices by wildcard',
      size,
      repeatMax: MESSAGES_MAX / size,
      once: () => send('m.room.encrypted', everyOf),
    },
  ];
}

async function measureAll(server: BenchServer, logins: readonly Login[]): Promise<BenchRow[]> {
  const devices = await connectAll(server.port, logins);
  const asker = await registerUser(server.port, 'asker');
  const rows = [await measureUploads(server, devices)];
  for (const size of SIZES)
    // One after another: they would disturb each other's figures.
    for (const operation of operationsOn(devices, size, asker)) rows.push(await measure(server, operation));
  for (const connection of new Set(
    [asker, ...devices.map(({ user }) => user)].map((user) => user.connection),
  ))
    connection.close();
  return rows;
}

/** Uploads, queries and claims of keys, and messages to devices: how many in a second, and how they grow with the devices. */
export async function benchE2ee(nodeFlags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  try {
    const logins = await logInAll(folder);
    const server = await startServer({ nodeFlags, environment: { TROUPE_DATA_PATH: folder } });
    try {
      const [fsync, http] = [sqliteFloor(), await httpFloor(1, '{}')];
      const floors: readonly BenchRow[] = [
        {
          name: 'floor: SQLite insert + fsync',
          figures: { 'requests/s': fsync.perSecond, 'p50 ms': fsync.p50Ms },
        },
        { name: 'floor: node:http', figures: { 'requests/s': http.perSecond, 'p50 ms': http.p50Ms } },
      ];
      const rows = await measureAll(server, logins);
      report('e2ee', [...floors, ...rows, { name: 'memory after', figures: { MB: server.memoryMb() } }]);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
