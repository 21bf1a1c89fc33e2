import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type BenchUser, expectOk, sendMessage } from './kit/client.ts';
import { Connection } from './kit/connection.ts';
import { type BenchRow, percentile, report } from './kit/figures.ts';
import { httpFloorProcessor } from './kit/floors.ts';
import { fillRoom } from './kit/full-room.ts';
import { createBareRoom, madeUpUser, startInBench } from './kit/large-room.ts';
import { joinAll, type MadeUpDevice, registerDevices } from './kit/logged-in.ts';
import { type BenchServer, processorMs, startServer, untilQuiet } from './kit/server.ts';

const ROOMS = 1_000;
const MEMBERS = 5;
const MESSAGES = 12;
const FIRST_SYNCS = 5;
const ROUNDS = 200;
const ROOMS_AT_ONCE = 8;

interface Prepared {
  readonly user: MadeUpDevice;
  readonly rooms: readonly string[];
}

async function prepare(folder: string): Promise<Prepared> {
  const program = await startInBench(folder);
  const [user] = await registerDevices(program, 'reader', 1);
  if (user === undefined) throw new Error('no user');
  const members = [user.userId, ...Array.from({ length: MEMBERS - 2 }, (_, index) => madeUpUser(index + 1))];
  const rooms: string[] = [];
  const makeRoom = async (): Promise<void> => {
    const roomId = await createBareRoom(program);
    await joinAll(program, roomId, members);
    await fillRoom(program, { roomId, sender: user.userId }, MESSAGES, (index) => ({
      msgtype: 'm.text',
      body: `a message of the usual length, as people write them to each other ${index}`,
    }));
    rooms.push(roomId);
  };
  for (let made = 0; made < ROOMS; made += ROOMS_AT_ONCE)
    await Promise.all(Array.from({ length: ROOMS_AT_ONCE }, makeRoom));
  await program.stop();
  return { user, rooms };
}

/** Syncs and gives the `next_batch` beside the figures. */
async function sync(
  user: BenchUser,
  since: string | null,
): Promise<{ next: string; tookMs: number; bytes: number }> {
  const query = since === null ? '' : `?since=${encodeURIComponent(since)}`;
  const reply = await user.connection.request('GET', `/_matrix/client/v3/sync${query}`, user.token);
  const next = String(expectOk(reply, 'sync')['next_batch']);
  return { next, tookMs: reply.tookMs, bytes: Buffer.byteLength(reply.body) };
}

function rowOf(name: string, times: readonly number[], usedMs: number, bytes: number): BenchRow {
  return {
    name,
    figures: {
      'p50 ms': percentile(times, 0.5),
      'processor ms each': usedMs / times.length,
      bytes,
    },
  };
}

/** First syncs: of a server that has just been started, and again. */
async function measureFirst(server: BenchServer, user: BenchUser): Promise<readonly BenchRow[]> {
  const before = processorMs(server.pid);
  const cold = await sync(user, null);
  const between = processorMs(server.pid);
  const times: number[] = [];
  for (let round = 0; round < FIRST_SYNCS; round += 1) times.push((await sync(user, null)).tookMs);
  return [
    rowOf(`first sync of ${ROOMS} rooms, cold`, [cold.tookMs], between - before, cold.bytes),
    rowOf('the same, warm', times, processorMs(server.pid) - between, cold.bytes),
  ];
}

/** Syncs after one message each time, without what the message costs. */
async function measureNext(
  server: BenchServer,
  user: BenchUser,
  rooms: readonly string[],
): Promise<readonly BenchRow[]> {
  let since = (await sync(user, null)).next;
  const quiet: number[] = [];
  let bytes = 0;
  const before = processorMs(server.pid);
  for (let round = 0; round < ROUNDS; round += 1) {
    const answer = await sync(user, since);
    quiet.push(answer.tookMs);
    since = answer.next;
    bytes = answer.bytes;
  }
  const rows = [rowOf('nothing new', quiet, processorMs(server.pid) - before, bytes)];
  const times: number[] = [];
  let usedMs = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    await sendMessage(user, rooms[round % rooms.length] ?? '', `message ${round}`);
    const start = processorMs(server.pid);
    const answer = await sync(user, since);
    usedMs += processorMs(server.pid) - start;
    times.push(answer.tookMs);
    since = answer.next;
    bytes = answer.bytes;
  }
  return [...rows, rowOf('one message in one room', times, usedMs, bytes)];
}

/** What it takes to read the same events from the file and to write them as JSON. */
function storageFloor(folder: string): BenchRow {
  const db = new Database(join(folder, 'troupe.db'), { readonly: true });
  try {
    const times: number[] = [];
    let bytes = 0;
    const before = process.cpuUsage();
    for (let round = 0; round < FIRST_SYNCS; round += 1) {
      const startedAt = performance.now();
      const rows = db.prepare('SELECT pdu FROM events ORDER BY room_nid').all() as { readonly pdu: string }[];
      bytes = JSON.stringify(rows.map(({ pdu }) => JSON.parse(pdu) as unknown)).length;
      times.push(performance.now() - startedAt);
    }
    const { user, system } = process.cpuUsage(before);
    return rowOf(
      'floor: the events of these rooms, read, parsed, written',
      times,
      (user + system) / 1_000,
      bytes,
    );
  } finally {
    db.close();
  }
}

/** Sync of somebody in 1,000 rooms: from nothing, with one change, with none. */
export async function benchSync(nodeFlags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  try {
    const { user: device, rooms } = await prepare(folder);
    const floor = storageFloor(folder);
    const server = await startServer({ nodeFlags, environment: { TROUPE_DATA_PATH: folder } });
    try {
      await untilQuiet(server.pid);
      const user: BenchUser = { ...device, connection: await Connection.open(server.port) };
      const rows = [...(await measureFirst(server, user)), ...(await measureNext(server, user, rooms))];
      user.connection.close();
      const requestUs = await httpFloorProcessor(1, '{}');
      const bare = { name: 'floor: node:http', figures: { 'processor ms each': requestUs / 1_000 } };
      report('sync', [floor, bare, ...rows]);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
