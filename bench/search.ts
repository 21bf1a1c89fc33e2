import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Program } from '../actors/program.ts';
import { databasePath } from '../db/kit/sqlite.ts';
import type { JsonObject } from '../src/kit/json.ts';
import { type BenchUser, createRoom, expectOk, registerUser, secondConnection } from './kit/client.ts';
import { type BenchRow, percentile, report } from './kit/figures.ts';
import { fillRoom } from './kit/full-room.ts';
import { startInBench } from './kit/large-room.ts';
import { startServer } from './kit/server.ts';

const ROOMS = 10;
const MESSAGES = 100_000;
const WORDS_OF_MESSAGE = 12;
/** The vocabulary: word 0 is in one of two messages, word n seldomer. */
const WORDS = 20_000;
const ROUNDS = 30;
/** Asked again when so much time has passed, in milliseconds. */
const INDEX_DEADLINE_MS = 600_000;

/** Words as people use them: few often, most of them seldom. */
function contentOf(index: number): JsonObject {
  let state = (index * 2_654_435_761) % 4_294_967_296;
  const words: string[] = [];
  for (let at = 0; at < WORDS_OF_MESSAGE; at += 1) {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    words.push(`w${Math.floor(WORDS ** (state / 4_294_967_296)) - 1}`);
  }
  return { msgtype: 'm.text', body: words.join(' ') };
}

interface Prepared {
  readonly user: BenchUser;
  readonly sendMs: number;
  readonly indexMs: number;
}

async function indexAll(program: Program): Promise<number> {
  const startedAt = performance.now();
  await program.supervisor.ref('search').ask('search.index-now', null, { deadlineMs: INDEX_DEADLINE_MS });
  return performance.now() - startedAt;
}

async function prepare(folder: string): Promise<Prepared> {
  const program = await startInBench(folder);
  const user = await registerUser(program.address.port, 'searcher');
  const startedAt = performance.now();
  for (let room = 0; room < ROOMS; room += 1) {
    const roomId = await createRoom(user);
    const first = (room * MESSAGES) / ROOMS;
    const of = { roomId, sender: user.userId };
    await fillRoom(program, of, MESSAGES / ROOMS, (at) => contentOf(first + at));
  }
  const sendMs = performance.now() - startedAt;
  // The index has followed meanwhile: it is made anew, so that it is measured alone.
  await indexAll(program);
  user.connection.close();
  await program.stop();
  return { user, sendMs, indexMs: await indexAnew(folder) };
}

async function indexAnew(folder: string): Promise<number> {
  const db = new Database(databasePath(folder));
  db.exec(`DELETE FROM search_words; DELETE FROM search_entries; DELETE FROM search_rooms;
           UPDATE search_progress SET indexed_up_to = 0`);
  db.close();
  const program = await startInBench(folder);
  const tookMs = await indexAll(program);
  await program.stop();
  return tookMs;
}

/** How long the bare index takes to find the newest ten, in milliseconds. */
function floorOf(db: InstanceType<typeof Database>, match: string): number {
  const find = db.prepare(
    'SELECT rowid FROM search_words WHERE search_words MATCH :match ORDER BY rowid DESC LIMIT 10',
  );
  const times = Array.from({ length: ROUNDS }, () => {
    const startedAt = performance.now();
    find.all({ match });
    return performance.now() - startedAt;
  });
  return percentile(times, 0.5);
}

async function measure(
  user: BenchUser,
  db: InstanceType<typeof Database>,
  [name, term]: readonly [string, string],
): Promise<BenchRow> {
  const times: Record<'recent' | 'rank', number[]> = { recent: [], rank: [] };
  let count = 0;
  for (let round = 0; round < ROUNDS; round += 1)
    for (const order of ['recent', 'rank'] as const) {
      const wanted = { search_term: term, order_by: order };
      const body = JSON.stringify({ search_categories: { room_events: wanted } });
      const reply = await user.connection.request('POST', '/_matrix/client/v3/search', user.token, body);
      const { search_categories: found } = expectOk(reply, 'search') as {
        readonly search_categories: { readonly room_events: { readonly count: number } };
      };
      count = found.room_events.count;
      times[order].push(reply.tookMs);
    }
  const figures = {
    found: count,
    'recent p50 ms': percentile(times.recent, 0.5),
    'rank p50 ms': percentile(times.rank, 0.5),
    'rank p99 ms': percentile(times.rank, 0.99),
    'floor: bare index ms': floorOf(db, term),
  };
  return { name, figures };
}

/** Indexing 100,000 messages, and finding words among them. */
export async function benchSearch(nodeFlags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  try {
    const { user: prepared, sendMs, indexMs } = await prepare(folder);
    const server = await startServer({ nodeFlags, environment: { TROUPE_DATA_PATH: folder } });
    const db = new Database(databasePath(folder), { readonly: true });
    try {
      const user = await secondConnection(server.port, prepared);
      const rows: BenchRow[] = [];
      for (const question of [
        ['a word that most messages have', 'w0'],
        ['a word of some', 'w50'],
        ['a rare word', 'w15000'],
        ['two words', 'w3 w8'],
        ['a word that nobody said', 'nothing'],
      ] as const)
        rows.push(await measure(user, db, question));
      report('search', [
        {
          name: `${MESSAGES} messages sent, indexed meanwhile`,
          figures: { 'µs each': (sendMs * 1_000) / MESSAGES },
        },
        { name: `${MESSAGES} messages indexed`, figures: { 'µs each': (indexMs * 1_000) / MESSAGES } },
        ...rows,
      ]);
      user.connection.close();
    } finally {
      db.close();
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
