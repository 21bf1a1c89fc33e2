import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchUser, expectOk, sendMessage } from './kit/client.ts';
import { Connection } from './kit/connection.ts';
import { type BenchRow, percentile, report } from './kit/figures.ts';
import { httpFloorProcessor } from './kit/floors.ts';
import { createBareRoom, startInBench } from './kit/large-room.ts';
import { joinAll, type MadeUpDevice, registerDevices } from './kit/logged-in.ts';
import { type BenchServer, processorMs, startServer, untilQuiet } from './kit/server.ts';

const SIZES = [10, 100, 1_000];
/** Answers that are measured with each size, about. */
const DELIVERIES = 5_000;
const WARM_UP_MESSAGES = 2;
const POLL_MS = 60_000;

interface Prepared {
  readonly sender: MadeUpDevice;
  readonly readers: readonly MadeUpDevice[];
  /** One room per size, with that many readers. */
  readonly rooms: readonly string[];
}

async function prepare(folder: string): Promise<Prepared> {
  const program = await startInBench(folder);
  const [sender, ...readers] = await registerDevices(program, 'fan', Math.max(...SIZES) + 1);
  if (sender === undefined) throw new Error('no sender');
  const rooms: string[] = [];
  for (const size of SIZES) {
    const roomId = await createBareRoom(program);
    const members = [sender, ...readers.slice(0, size)].map(({ userId }) => userId);
    await joinAll(program, roomId, members);
    rooms.push(roomId);
  }
  await program.stop();
  return { sender, readers, rooms };
}

async function connect(port: number, { userId, token }: MadeUpDevice): Promise<BenchUser> {
  return { userId, token, connection: await Connection.open(port) };
}

/** A device that syncs whenever it is asked to. */
class Reader {
  readonly user: BenchUser;
  #since = '';

  constructor(user: BenchUser) {
    this.user = user;
  }

  /** Gives the body of the next answer. */
  async sync(): Promise<string> {
    const { connection, token } = this.user;
    const query =
      this.#since === '' ? 'timeout=0' : `timeout=${POLL_MS}&since=${encodeURIComponent(this.#since)}`;
    const filter = encodeURIComponent('{"presence":{"types":[]}}');
    const reply = await connection.request('GET', `/_matrix/client/v3/sync?filter=${filter}&${query}`, token);
    this.#since = String(expectOk(reply, 'sync')['next_batch']);
    return reply.body;
  }

  /** Syncs until an answer holds a text; gives how many answers that took. */
  async waitFor(text: string): Promise<number> {
    for (let answers = 1; ; answers += 1) if ((await this.sync()).includes(text)) return answers;
  }
}

async function measure(
  server: BenchServer,
  { sender, readers, rooms }: Prepared,
  size: number,
): Promise<BenchRow> {
  const roomId = rooms[SIZES.indexOf(size)];
  if (roomId === undefined) throw new Error('no room');
  const devices: Reader[] = [];
  for (const reader of readers.slice(0, size)) {
    // A connection that says nothing for long is closed: each begins with its first sync.
    const device = new Reader(await connect(server.port, reader));
    await device.sync();
    devices.push(device);
  }
  const user = await connect(server.port, sender);
  const latencies: number[] = [];
  let answers = 0;
  const deliver = async (text: string): Promise<void> => {
    const sentAt = performance.now();
    const waiting = devices.map(async (device) => {
      const taken = await device.waitFor(text);
      answers += taken;
      latencies.push(performance.now() - sentAt);
    });
    await sendMessage(user, roomId, text);
    await Promise.all(waiting);
  };
  for (let message = 0; message < WARM_UP_MESSAGES; message += 1) await deliver(`warm ${size} ${message}!`);
  latencies.length = 0;
  answers = 0;
  const messages = Math.ceil(DELIVERIES / size / (size === 10 ? 5 : 1));
  await untilQuiet(server.pid);
  const before = processorMs(server.pid);
  for (let message = 0; message < messages; message += 1) await deliver(`message ${size} ${message}!`);
  const usedMs = processorMs(server.pid) - before;
  for (const { connection } of [user, ...devices.map((device) => device.user)]) connection.close();
  const delivered = messages * size;
  return {
    name: `${size} devices, ${messages} messages`,
    figures: {
      'µs of processor per delivery': (usedMs * 1_000) / delivered,
      'answers per delivery': answers / delivered,
      'p50 ms': percentile(latencies, 0.5),
      'p99 ms': percentile(latencies, 0.99),
      MB: server.memoryMb(),
    },
  };
}

/** What it costs to bring one event to 10, 100 and 1,000 devices that wait for it. */
export async function benchFanout(nodeFlags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  try {
    const prepared = await prepare(folder);
    const server = await startServer({ nodeFlags, environment: { TROUPE_DATA_PATH: folder } });
    try {
      await untilQuiet(server.pid);
      const rows: BenchRow[] = [];
      for (const size of SIZES) rows.push(await measure(server, prepared, size));
      const floor = await httpFloorProcessor(100, '{}');
      report('fanout', [
        { name: 'floor: node:http, 100 at a time', figures: { 'µs of processor per delivery': floor } },
        ...rows,
      ]);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
