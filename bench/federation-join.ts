import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { readKeyDocument } from '../src/federation/trust/key-document.ts';
import type { JsonObject } from '../src/kit/json.ts';
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from '../src/matrix/ed25519.ts';
import {
  type FederationPeer,
  openFederationPeer,
  type PeerRequest,
} from '../test/support/federation-peer.ts';
import { FOREIGN_KEY, type ForeignRoom, makeForeignRoom } from '../test/support/foreign-room.ts';
import { type BenchUser, expectOk, registerUser } from './kit/client.ts';
import { type BenchRow, report } from './kit/figures.ts';
import { loopbackEnvironment } from './kit/foreign-rooms.ts';
import { type LoopbackServers, openLoopbackServers } from './kit/loopback-servers.ts';
import { type BenchServer, processorMs, startServer, untilQuiet } from './kit/server.ts';

/** Members of the rooms, the first of them to warm up. */
const SIZES = [100, 1_000, 10_000];
/** Servers that the members are of, beside the one that is asked: each has a key to be fetched. */
const SERVERS = 100;

interface Cost {
  /** Until the client is in the room. */
  readonly seconds: number;
  /** Until it is told who else is. */
  readonly wholeSeconds: number;
  readonly usedMs: number;
}

/**
 * A room with so many members, and the peer's answers to who joins it.
 *
 * @param omitsMembers the peer leaves the members out of its answer, and gives them when it is asked for the whole state
 */
function hostRoom(
  peer: FederationPeer,
  others: LoopbackServers,
  size: number,
  omitsMembers: boolean,
): ForeignRoom {
  const name = omitsMembers ? `partial${size}` : `join${size}`;
  const room = makeForeignRoom({ creator: `@remote:${peer.serverName}`, name });
  for (let index = 1; index < size; index += 1)
    room.member(`@member${index}:${others.names[index % SERVERS] ?? ''}`, 'join');
  const state = room.state().map(({ pdu }) => pdu as unknown as JsonObject);
  // Of a public room: all members are authorised by how it began.
  const authChain = state.slice(0, 4);
  const whole = JSON.stringify({ state, auth_chain: authChain });
  const withoutMembers = JSON.stringify({
    state: state.filter(({ type }) => type !== 'm.room.member'),
    auth_chain: authChain.filter(({ type }) => type === 'm.room.member'),
    members_omitted: true,
    servers_in_room: [peer.serverName, ...others.names],
  });
  const bytes = omitsMembers ? withoutMembers : whole;
  const stateBytes = JSON.stringify({ pdus: state, auth_chain: authChain });
  const path = encodeURIComponent(room.roomId);
  peer.on('GET', `/_matrix/federation/v1/make_join/${path}/{userId}`, ({ params }: PeerRequest) => {
    const userId = params['userId'] ?? '';
    const content = { membership: 'join' };
    const { pdu } = room.build({ sender: userId, type: 'm.room.member', stateKey: userId, content });
    const { hashes: _hashes, signatures: _signatures, ...event } = pdu;
    return { json: { room_version: room.version, event } };
  });
  peer.on('PUT', `/_matrix/federation/v2/send_join/${path}/{eventId}`, () => ({ bytes }));
  peer.on('GET', `/_matrix/federation/v1/state/${path}`, () => ({ bytes: stateBytes }));
  return room;
}

/** Lets the peer believe who the server is: it has no way to ask. */
async function introduce(server: BenchServer, peer: FederationPeer): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${server.port}/_matrix/key/v2/server`);
  const document = readKeyDocument((await answer.json()) as JsonObject, 'localhost');
  const [key] = document?.keys ?? [];
  if (key === undefined) throw new Error('the server has no key');
  peer.trust('localhost', key);
}

async function measureJoin(
  server: BenchServer,
  user: BenchUser,
  room: ForeignRoom,
  via: string,
): Promise<Cost> {
  await untilQuiet(server.pid);
  const usedMs = processorMs(server.pid);
  const path = `/_matrix/client/v3/join/${encodeURIComponent(room.roomId)}?via=${encodeURIComponent(via)}`;
  const reply = await user.connection.request('POST', path, user.token, '{}');
  expectOk(reply, 'join');
  const members = await user.connection.request(
    'GET',
    `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}/joined_members`,
    user.token,
  );
  const { joined } = expectOk(members, 'joined_members') as { readonly joined: object };
  if (Object.keys(joined).length < room.state().length - 5) throw new Error('members are missing');
  return {
    seconds: reply.tookMs / 1_000,
    wholeSeconds: (reply.tookMs + members.tookMs) / 1_000,
    usedMs: processorMs(server.pid) - usedMs,
  };
}

/** What nobody can leave out: the answer read, each event's hash and signature, and its text in a table. On this process, one after another. */
function bareJoin(folder: string, room: ForeignRoom): Cost {
  const answer = JSON.stringify({ state: room.state().map(({ pdu }) => pdu) });
  const publicKey = ed25519PublicKey(FOREIGN_KEY.seed);
  const signed = room.state().map(({ json }) => ed25519Sign(FOREIGN_KEY.seed, Buffer.from(json)));
  const db = new Database(
    join(folder, `floor${signed.length}${room.roomId.includes('partial') ? 'p' : ''}.db`),
  );
  try {
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.exec(
      'CREATE TABLE floor (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, text TEXT NOT NULL) STRICT',
    );
    const insert = db.prepare('INSERT INTO floor (name, text) VALUES (:name, :text)');
    const [startedAt, before] = [performance.now(), process.cpuUsage()];
    JSON.parse(answer);
    db.exec('BEGIN');
    for (const [index, { json: text }] of room.state().entries()) {
      const bytes = Buffer.from(text);
      const name = createHash('sha256').update(bytes).digest('base64url');
      const signature = signed[index];
      if (signature === undefined || !ed25519Verify(publicKey, bytes, signature))
        throw new Error('the signature is wrong');
      insert.run({ name, text });
    }
    db.exec('COMMIT');
    const { user, system } = process.cpuUsage(before);
    const seconds = (performance.now() - startedAt) / 1_000;
    return { seconds, wholeSeconds: seconds, usedMs: (user + system) / 1_000 };
  } finally {
    db.close();
  }
}

function rowOf(name: string, size: number, { seconds, wholeSeconds, usedMs }: Cost, bare: Cost): BenchRow {
  return {
    name,
    figures: {
      seconds,
      'seconds until whole': wholeSeconds,
      'CPU ms': usedMs,
      'CPU µs / member': (usedMs * 1_000) / size,
      'floor: seconds': bare.seconds,
      'floor: CPU ms': bare.usedMs,
      'ratio of CPU': usedMs / bare.usedMs,
    },
  };
}

/**
 * Joins of rooms that are on other servers only, with their members and before them: how long a client waits, until it is told of all members, and how that
 * grows with them.
 */
export async function benchFederationJoin(nodeFlags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const others = await openLoopbackServers(SERVERS);
  const peer = await openFederationPeer();
  try {
    const server = await startServer({ nodeFlags, environment: loopbackEnvironment(folder) });
    try {
      await introduce(server, peer);
      const rows: BenchRow[] = [];
      for (const size of SIZES)
        for (const omitsMembers of [false, true]) {
          const room = hostRoom(peer, others, size, omitsMembers);
          const bare = bareJoin(folder, room);
          // Another one each time: a connection that says nothing for long is closed.
          const user = await registerUser(server.port, `joiner${size}${omitsMembers ? 'early' : ''}`);
          const cost = await measureJoin(server, user, room, peer.serverName);
          user.connection.close();
          rows.push(rowOf(`${size} members${omitsMembers ? ', behind the join' : ''}`, size, cost, bare));
        }
      report('federation-join', [...rows, { name: 'memory after', figures: { MB: server.memoryMb() } }]);
    } finally {
      await server.stop();
    }
  } finally {
    await peer.close();
    await others.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
