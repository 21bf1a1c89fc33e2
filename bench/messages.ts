import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../src/kit/json.ts';
import { type BenchUser, createRoom, expectOk, registerUser, secondConnection } from './kit/client.ts';
import { type BenchRow, percentile, report } from './kit/figures.ts';
import { httpFloor } from './kit/floors.ts';
import { fillRoom } from './kit/full-room.ts';
import { startInBench } from './kit/large-room.ts';
import { startServer } from './kit/server.ts';

const EVENTS = 1_000;
const PAGE_EVENTS = 100;
const ROUNDS = 10;
/** In the second room every so many events edit, answer in a thread or refer to one. */
const RELATED_EVERY = 10;
const REL_TYPES = ['m.replace', 'm.thread', 'm.reference', 'm.annotation'];
const TEXT = 'a message of the usual length, as people write them to each other';

interface Prepared {
  readonly user: BenchUser;
  readonly plain: string;
  readonly related: string;
}

function plainContent(index: number): JsonObject {
  return { msgtype: 'm.text', body: `${TEXT} ${index}` };
}

function relatedContent(index: number, sent: readonly string[]): JsonObject {
  // What relates to an event begins no thread: it goes to one that does not.
  const parent = sent[Math.floor(index / 20) * 10 + 1];
  if (index % RELATED_EVERY !== 0 || parent === undefined) return plainContent(index);
  const relType = REL_TYPES[(index / RELATED_EVERY) % REL_TYPES.length] ?? 'm.reference';
  const relatesTo = { rel_type: relType, event_id: parent, key: `${index}` };
  return { ...plainContent(index), 'm.new_content': plainContent(index), 'm.relates_to': relatesTo };
}

async function prepare(folder: string): Promise<Prepared> {
  const program = await startInBench(folder);
  const user = await registerUser(program.address.port, 'reader');
  const [plain, related] = [await createRoom(user), await createRoom(user)];
  const sender = user.userId;
  await fillRoom(program, { roomId: plain, sender }, EVENTS, plainContent);
  await fillRoom(program, { roomId: related, sender }, EVENTS, relatedContent);
  user.connection.close();
  await program.stop();
  return { user, plain, related };
}

/** Reads a room back by {@link EVENTS} events. Gives how long that took in milliseconds, and the size of a page. */
async function pageBack(
  user: BenchUser,
  roomId: string,
): Promise<{ readonly tookMs: number; readonly page: string }> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=${PAGE_EVENTS}`;
  let tookMs = 0;
  let from = '';
  let page = '';
  for (let read = 0; read < EVENTS; read += PAGE_EVENTS) {
    const reply = await user.connection.request('GET', path + from, user.token);
    const { end, chunk } = expectOk(reply, 'messages');
    if (!Array.isArray(chunk) || chunk.length !== PAGE_EVENTS) throw new Error('a page is not full');
    tookMs += reply.tookMs;
    from = `&from=${String(end)}`;
    page = reply.body;
  }
  return { tookMs, page };
}

async function measure(
  user: BenchUser,
  name: string,
  roomId: string,
): Promise<BenchRow & { readonly page: string }> {
  const cold = await pageBack(user, roomId);
  const warm: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) warm.push((await pageBack(user, roomId)).tookMs);
  const figures = {
    'first ms': cold.tookMs,
    'p50 ms': percentile(warm, 0.5),
    'page bytes': cold.page.length,
  };
  return { name, figures, page: cold.page };
}

/** Paging back through 1,000 events, a hundred a page: after a start, and again. */
export async function benchMessages(nodeFlags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  try {
    const { user: prepared, plain, related } = await prepare(folder);
    const server = await startServer({ nodeFlags, environment: { TROUPE_DATA_PATH: folder } });
    try {
      const user = await secondConnection(server.port, prepared);
      const rows = [
        await measure(user, `${EVENTS} events, nothing relates to any`, plain),
        await measure(user, `${EVENTS} events, one in ${RELATED_EVERY} relates to another`, related),
      ];
      const floor = await httpFloor(1, rows[0]?.page ?? '');
      report('messages', [
        {
          name: `floor: node:http takes ${EVENTS / PAGE_EVENTS} bodies of a page's size`,
          figures: { 'p50 ms': (floor.p50Ms * EVENTS) / PAGE_EVENTS },
        },
        ...rows.map(({ name, figures }) => ({ name, figures })),
      ]);
      user.connection.close();
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
