import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { xMatrixHeader } from '../src/federation/x-matrix.ts';
import type { JsonObject } from '../src/kit/json.ts';
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from '../src/matrix/ed25519.ts';
import { type FederationPeer, openFederationPeer } from '../test/support/federation-peer.ts';
import { FOREIGN_KEY, type ForeignRoom, makeForeignRoom } from '../test/support/foreign-room.ts';
import { expectOk } from './kit/client.ts';
import { Connection } from './kit/connection.ts';
import { type BenchRow, percentile, report } from './kit/figures.ts';
import { httpFloorProcessor, sqliteFloor } from './kit/floors.ts';
import { loopbackEnvironment, moveIn } from './kit/foreign-rooms.ts';
import { startInBench } from './kit/large-room.ts';
import { registerDevices } from './kit/logged-in.ts';
import { type BenchServer, processorMs, startServer, untilQuiet } from './kit/server.ts';

const ROOMS = 10;
const LOCAL_MEMBERS = 5;
const WARM_UP = 100;
const VERIFICATIONS = 5_000;
const TEXT = 'Something that somebody says in a room, about as long as what people say usually is. '.repeat(
  2,
);

/** What one kind of transaction has. */
interface Load {
  readonly name: string;
  readonly pdus: number;
  readonly rooms: number;
  readonly transactions: number;
}

const LOADS: readonly Load[] = [
  { name: '1 event', pdus: 1, rooms: 1, transactions: 1_500 },
  { name: '50 events of 1 room', pdus: 50, rooms: 1, transactions: 150 },
  { name: '50 events of 10 rooms', pdus: 50, rooms: ROOMS, transactions: 150 },
];

/** A signed request, finished before the clock runs. */
interface Ready {
  readonly path: string;
  readonly authorization: string;
  readonly body: string;
  readonly pdus: number;
}

let transactions = 0;

function transactionOf(peer: FederationPeer, pdus: readonly JsonObject[]): Ready {
  transactions += 1;
  const path = `/_matrix/federation/v1/send/bench${transactions}`;
  const content = { origin: peer.serverName, origin_server_ts: Date.now(), pdus };
  const request = { method: 'PUT', uri: path, content };
  const authorization = xMatrixHeader(request, peer.serverName, 'localhost', peer.key);
  return { path, authorization, body: JSON.stringify(content), pdus: pdus.length };
}

function somethingSaid(room: ForeignRoom): JsonObject {
  const content = { msgtype: 'm.text', body: TEXT };
  return room.add({ sender: room.creator, type: 'm.room.message', content }).pdu;
}

function makeReady(peer: FederationPeer, rooms: readonly ForeignRoom[], load: Load, count: number): Ready[] {
  const some = rooms.slice(0, load.rooms);
  return Array.from({ length: count }, () => {
    const pdus = Array.from({ length: load.pdus }, (_, index) => {
      const room = some[index % some.length];
      if (room === undefined) throw new Error('no room');
      return somethingSaid(room);
    });
    return transactionOf(peer, pdus);
  });
}

/** Sends one after another, as a server does, and gives how long each took, in milliseconds. */
async function sendAll(connection: Connection, ready: readonly Ready[]): Promise<number[]> {
  const times: number[] = [];
  for (const { path, authorization, body, pdus } of ready) {
    const reply = await connection.send('PUT', path, authorization, body);
    const outcomes = Object.values(expectOk(reply, 'send')['pdus'] as Record<string, JsonObject>);
    if (outcomes.length !== pdus || outcomes.some(({ error }) => error !== undefined))
      throw new Error(`send: ${reply.body}`);
    times.push(reply.tookMs);
  }
  return times;
}

/** Processor time of what nobody can leave out of taking an event: reading it, its hash, its signature. In microseconds. */
function checkFloor(event: JsonObject): number {
  const text = JSON.stringify(event);
  const bytes = Buffer.from(text);
  const signature = ed25519Sign(FOREIGN_KEY.seed, bytes);
  const publicKey = ed25519PublicKey(FOREIGN_KEY.seed);
  const before = process.cpuUsage();
  for (let done = 0; done < VERIFICATIONS; done += 1) {
    JSON.parse(text);
    createHash('sha256').update(bytes).digest();
    if (!ed25519Verify(publicKey, bytes, signature)) throw new Error('the signature is wrong');
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / VERIFICATIONS;
}

async function measure(
  server: BenchServer,
  peer: FederationPeer,
  rooms: readonly ForeignRoom[],
  load: Load,
): Promise<BenchRow> {
  const warmUp = makeReady(peer, rooms, load, Math.ceil(WARM_UP / load.pdus) + 5);
  const ready = makeReady(peer, rooms, load, load.transactions);
  const [example = ''] = ready.map(({ body }) => body);
  const floorUs = await httpFloorProcessor(1, example);
  const checkUs = checkFloor(somethingSaid(makeForeignRoom()));
  const connection = await Connection.open(server.port);
  await sendAll(connection, warmUp);
  await untilQuiet(server.pid);
  const [startedAt, usedMs] = [performance.now(), processorMs(server.pid)];
  const times = await sendAll(connection, ready);
  const seconds = (performance.now() - startedAt) / 1_000;
  const events = load.pdus * load.transactions;
  const usedUs = ((processorMs(server.pid) - usedMs) * 1_000) / events;
  connection.close();
  const bareUs = floorUs / load.pdus + checkUs;
  return {
    name: load.name,
    figures: {
      'events/s': events / seconds,
      'p50 ms': percentile(times, 0.5),
      'p99 ms': percentile(times, 0.99),
      'CPU µs / event': usedUs,
      'floor: http': floorUs / load.pdus,
      'floor: check': checkUs,
      ratio: usedUs / bareUs,
    },
  };
}

/** Events that another server sends: how many in a second, in transactions of one and of many. */
export async function benchFederationIn(nodeFlags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const peer = await openFederationPeer();
  try {
    const program = await startInBench(folder);
    const users = await registerDevices(program, 'in', LOCAL_MEMBERS);
    const creator = `@remote:${peer.serverName}`;
    const rooms = Array.from({ length: ROOMS }, (_, index) =>
      makeForeignRoom({ creator, name: `in${index}` }),
    );
    for (const room of rooms)
      await moveIn(
        program,
        room,
        users.map(({ userId }) => userId),
      );
    await program.stop();
    const server = await startServer({ nodeFlags, environment: loopbackEnvironment(folder) });
    try {
      const fsync = sqliteFloor();
      const rows: BenchRow[] = [
        {
          name: 'floor: SQLite insert + fsync',
          figures: { 'events/s': fsync.perSecond, 'p50 ms': fsync.p50Ms },
        },
      ];
      for (const load of LOADS) rows.push(await measure(server, peer, rooms, load));
      report('federation-in', [...rows, { name: 'memory after', figures: { MB: server.memoryMb() } }]);
    } finally {
      await server.stop();
    }
  } finally {
    await peer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
