import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeForeignRoom } from '../test/support/foreign-room.ts';
import { testAuthority } from '../test/support/test-certificates.ts';
import { type BenchUser, sendMessage } from './kit/client.ts';
import { Connection } from './kit/connection.ts';
import { type BenchRow, percentile, report } from './kit/figures.ts';
import { loopbackEnvironment, moveIn } from './kit/foreign-rooms.ts';
import { createBareRoom, startInBench } from './kit/large-room.ts';
import { joinAll, type MadeUpDevice, registerDevices } from './kit/logged-in.ts';
import { type LoopbackServers, openLoopbackServers } from './kit/loopback-servers.ts';
import { type BenchServer, processorMs, startServer, untilQuiet } from './kit/server.ts';

/** Other servers in the room. */
const SIZES = [0, 1, 20, 200];
const WARM_UP = 20;
/** Sent one after another without waiting for other servers: fewer than what the sender keeps in memory for one of them. */
const BURST = 400;
/** Each sent when all have the one before. */
const SINGLE = 60;
const FLOOR_CLIENT = new URL('kit/floor-https-client.ts', import.meta.url).pathname;
/** Of a transaction with one event of these, about. */
const BODY_BYTES = '800';
const FLOOR_ROUNDS = 60;
const TEXT = 'Something that somebody says in a room, about as long as what people say usually is. '.repeat(
  2,
);

interface Prepared {
  readonly sender: MadeUpDevice;
  /** By the number of other servers in it. */
  readonly rooms: ReadonlyMap<number, string>;
}

async function prepare(folder: string, others: LoopbackServers): Promise<Prepared> {
  const program = await startInBench(folder);
  const [sender] = await registerDevices(program, 'out', 1);
  if (sender === undefined) throw new Error('no sender');
  const rooms = new Map<number, string>();
  for (const size of SIZES) {
    const [creator, ...members] = others.names.slice(0, size).map((name) => `@remote:${name}`);
    if (creator === undefined) {
      const roomId = await createBareRoom(program);
      await joinAll(program, roomId, [sender.userId]);
      rooms.set(size, roomId);
      continue;
    }
    const room = makeForeignRoom({ creator, name: `out${size}` });
    for (const member of members) room.member(member, 'join');
    await moveIn(program, room, [sender.userId]);
    rooms.set(size, room.roomId);
  }
  await program.stop();
  return { sender, rooms };
}

/** Processor time of a bare client for one request to one of many servers, in microseconds. */
async function clientFloor(folder: string, others: LoopbackServers, size: number): Promise<number> {
  const { ca } = testAuthority().writeTo(folder);
  const args = [FLOOR_CLIENT, ca, BODY_BYTES, String(FLOOR_ROUNDS), ...others.names.slice(0, size)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout);
}

/** What a number of messages has cost. */
interface Cost {
  readonly seconds: number;
  readonly usedUs: number;
  readonly transactions: number;
}

async function costOf(
  server: BenchServer,
  others: LoopbackServers,
  work: () => Promise<void>,
): Promise<Cost> {
  await untilQuiet(server.pid);
  others.forget();
  const [startedAt, usedMs] = [performance.now(), processorMs(server.pid)];
  await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  // What is written of it afterwards is a part of it.
  await untilQuiet(server.pid);
  return {
    seconds,
    usedUs: (processorMs(server.pid) - usedMs) * 1_000,
    transactions: others.transactions(),
  };
}

function rowOf(name: string, size: number, messages: number, cost: Cost, floorUs: number): BenchRow {
  const delivered = messages * size;
  const { seconds, usedUs, transactions } = cost;
  return {
    name: `${size} servers, ${name}`,
    figures: {
      'messages/s': messages / seconds,
      'delivered/s': delivered / seconds,
      'CPU µs / message': usedUs / messages,
      ...(size > 0 && {
        'CPU µs / delivered': usedUs / delivered,
        'events / transaction': delivered / transactions,
        'CPU µs / transaction': usedUs / transactions,
        'floor: undici': floorUs,
        ratio: usedUs / transactions / floorUs,
      }),
    },
  };
}

async function measure(
  server: BenchServer,
  others: LoopbackServers,
  user: BenchUser,
  room: { readonly roomId: string; readonly size: number; readonly floorUs: number },
): Promise<BenchRow[]> {
  const { roomId, size, floorUs } = room;
  const send = (): Promise<unknown> => sendMessage(user, roomId, TEXT);
  const times: number[] = [];
  const oneByOne = async (count: number): Promise<void> => {
    for (let sent = 1; sent <= count; sent += 1) {
      const sentAt = performance.now();
      await send();
      await others.until(size, sent);
      times.push(performance.now() - sentAt);
    }
  };
  await costOf(server, others, () => oneByOne(WARM_UP));
  times.length = 0;
  const single = await costOf(server, others, () => oneByOne(SINGLE));
  const burst = await costOf(server, others, async () => {
    for (let sent = 0; sent < BURST; sent += 1) await send();
    await others.until(size, BURST);
  });
  const row = rowOf('each after the other', size, SINGLE, single, floorUs);
  return [
    {
      ...row,
      figures: { ...row.figures, 'p50 ms': percentile(times, 0.5), 'p99 ms': percentile(times, 0.99) },
    },
    rowOf('all at once', size, BURST, burst, floorUs),
  ];
}

/** Messages of one user to rooms with other servers in them: how long until all have them, and what each of those costs. */
export async function benchFederationOut(nodeFlags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const others = await openLoopbackServers(Math.max(...SIZES));
  try {
    const { sender, rooms } = await prepare(folder, others);
    const server = await startServer({ nodeFlags, environment: loopbackEnvironment(folder) });
    try {
      const rows: BenchRow[] = [];
      for (const [size, roomId] of rooms) {
        const floorUs = size === 0 ? Number.NaN : await clientFloor(folder, others, size);
        // A connection that says nothing for long is closed.
        const connection = await Connection.open(server.port);
        const user = { userId: sender.userId, token: sender.token, connection };
        rows.push(...(await measure(server, others, user, { roomId, size, floorUs })));
        connection.close();
      }
      report('federation-out', [...rows, { name: 'memory after', figures: { MB: server.memoryMb() } }]);
    } finally {
      await server.stop();
    }
  } finally {
    await others.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
