import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BenchUser,
  createRoom,
  joinRoom,
  registerUser,
  secondConnection,
  sendMessage,
} from './kit/client.ts';
import { type BenchRow, percentile, report } from './kit/figures.ts';
import { httpFloor, measureRate, type Rate, sqliteFloor } from './kit/floors.ts';
import { joinMadeUpUsers, startInBench } from './kit/large-room.ts';
import { type BenchServer, processorMs, startServer } from './kit/server.ts';

const CLIENTS = 10;
const MEMBERS = 10_000;
const WARM_UP_MS = 2_500;
const LENGTH_MS = 3_000;
/** Each room is measured so often, in turns: the machine's speed drifts. */
const ROUNDS = 4;
const TEXT = 'a message of the usual length, as people write them to each other';

interface Prepared {
  readonly users: readonly BenchUser[];
  readonly small: string;
  readonly large: string;
}

/** Fills a data folder: accounts, a room of them alone, and one with members enough beside them. */
async function prepare(folder: string): Promise<Prepared> {
  const program = await startInBench(folder);
  const { port } = program.address;
  const users: BenchUser[] = [];
  for (let index = 0; index < CLIENTS; index += 1) users.push(await registerUser(port, `sender${index}`));
  const [first, ...others] = users;
  if (first === undefined) throw new Error('no user');
  const [small, large] = [await createRoom(first), await createRoom(first)];
  for (const user of others) for (const roomId of [small, large]) await joinRoom(user, roomId);
  await joinMadeUpUsers(program, large, CLIENTS, MEMBERS);
  for (const { connection } of users) connection.close();
  await program.stop();
  return { users, small, large };
}

interface Measured extends Rate {
  readonly processorUs: number;
}

async function measure(server: BenchServer, users: readonly BenchUser[], roomId: string): Promise<Measured> {
  const before = processorMs(server.pid);
  const rate = await measureRate(CLIENTS, LENGTH_MS, async (client) => {
    const user = users[client];
    if (user === undefined) throw new Error(`no user ${client}`);
    return (await sendMessage(user, roomId, TEXT)).tookMs;
  });
  const usedUs = (processorMs(server.pid) - before) * 1_000;
  return { ...rate, processorUs: usedUs / (rate.perSecond * (LENGTH_MS / 1_000)) };
}

function rowOf(name: string, rounds: readonly Measured[]): BenchRow {
  const median = (of: (one: Measured) => number): number => percentile(rounds.map(of), 0.5);
  return {
    name,
    figures: {
      '/s': median((one) => one.perSecond),
      'p50 ms': median((one) => one.p50Ms),
      'p99 ms': median((one) => one.p99Ms),
      'CPU µs each': median((one) => one.processorUs),
    },
  };
}

/** What a message costs in a room of 10 and in one of 10,000 members, nobody syncing. */
export async function benchLargeRoom(nodeFlags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  try {
    const { users: prepared, small, large } = await prepare(folder);
    const server = await startServer({ nodeFlags, environment: { TROUPE_DATA_PATH: folder } });
    try {
      const users = await Promise.all(prepared.map((user) => secondConnection(server.port, user)));
      const rounds = { small: [] as Measured[], large: [] as Measured[] };
      await measureRate(CLIENTS, WARM_UP_MS, async (client) => {
        const user = users[client];
        if (user === undefined) throw new Error(`no user ${client}`);
        return (await sendMessage(user, client % 2 === 0 ? small : large, TEXT)).tookMs;
      });
      for (let round = 0; round < ROUNDS; round += 1) {
        rounds.small.push(await measure(server, users, small));
        rounds.large.push(await measure(server, users, large));
      }
      const fsync = sqliteFloor();
      const http = await httpFloor(CLIENTS, JSON.stringify({ msgtype: 'm.text', body: TEXT }));
      const ratios = rounds.large.map(
        (one, index) => one.processorUs / (rounds.small[index]?.processorUs ?? NaN),
      );
      const rates = rounds.large.map((one, index) => (rounds.small[index]?.perSecond ?? NaN) / one.perSecond);
      report('large-room', [
        { name: 'floor: SQLite insert + fsync', figures: { '/s': fsync.perSecond, 'p50 ms': fsync.p50Ms } },
        {
          name: `floor: node:http, ${CLIENTS} at a time`,
          figures: { '/s': http.perSecond, 'p50 ms': http.p50Ms },
        },
        rowOf(`send into a room of ${CLIENTS}`, rounds.small),
        rowOf(`send into a room of ${MEMBERS}`, rounds.large),
        { name: 'large room to small one, processor', figures: { ratio: percentile(ratios, 0.5) } },
        { name: 'large room to small one, time', figures: { ratio: percentile(rates, 0.5) } },
      ]);
      for (const { connection } of users) connection.close();
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
