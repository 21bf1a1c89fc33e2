import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type ClosableReadDb, openReadDb } from '../db/kit/read-connections.ts';
import { databasePath } from '../db/kit/sqlite.ts';
import { findStateOfGroup, readCurrentState, readStateOfGroup } from '../db/rooms/state-reader.ts';
import { systemClock } from '../src/kit/clock.ts';
import { silentLogger } from '../src/kit/logger.ts';
import { createMetricBuffer, createSlabMetrics } from '../src/kit/metric-slab.ts';
import { type BenchRow, percentile, report } from './kit/figures.ts';
import { sqliteFloor } from './kit/floors.ts';
import { createBareRoom, joinMadeUpUsers, startInBench } from './kit/large-room.ts';

const MEMBERS = 10_000;
const FURTHER_JOINS = 1_000;
const READS = 15;
const JOIN_RULES = 'm.room.join_rules';

/** Tables whose indices are counted with them, as the figures show them; the others are summed up. */
const TABLES = ['events', 'current_state', 'local_memberships', 'state_keys', 'user_ids'];
const STATE_TABLES = ['state_groups', 'state_group_entries'];

/** The bytes of the pages of each table with its indices, by SQLite's own account (the dbstat table). */
function bytesByTable(path: string): ReadonlyMap<string, number> {
  const db = new Database(path, { readonly: true });
  try {
    const rows = db
      .prepare(
        `SELECT s.tbl_name AS name, sum(d.pgsize) AS bytes
           FROM dbstat d JOIN sqlite_schema s ON s.name = d.name
          WHERE d.aggregate = TRUE GROUP BY s.tbl_name`,
      )
      .all() as { readonly name: string; readonly bytes: number }[];
    return new Map(rows.map(({ name, bytes }) => [name, bytes]));
  } finally {
    db.close();
  }
}

function bytesOf(tables: ReadonlyMap<string, number>, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (tables.get(name) ?? 0), 0);
}

/** What `changes` changes have added between two looks, in bytes for each. */
function costRows(
  name: string,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  changes: number,
): BenchRow[] {
  const each = (names: readonly string[]): number =>
    (bytesOf(after, names) - bytesOf(before, names)) / changes;
  const named = [...STATE_TABLES, ...TABLES];
  const others = [...after.keys()].filter((table) => !named.includes(table));
  const row = (what: string, names: readonly string[]): BenchRow => ({
    name: `${name}: ${what}`,
    figures: { 'bytes each': each(names) },
  });
  return [
    row('state groups, in all', STATE_TABLES),
    ...STATE_TABLES.map((table) => row(table, [table])),
    ...TABLES.map((table) => row(table, [table])),
    row('all other tables', others),
    row('everything', [...after.keys()]),
  ];
}

function openReads(path: string): ClosableReadDb {
  const metrics = createSlabMetrics(createMetricBuffer());
  return openReadDb(path, { metrics, clock: systemClock, log: silentLogger });
}

/** Times of one read, in milliseconds: each on a connection of its own, and again and again on one. */
async function timesOf(
  path: string,
  read: (db: ClosableReadDb) => Promise<unknown>,
): Promise<{ readonly 'cold ms': number; readonly 'warm ms': number }> {
  const timeOn = async (db: ClosableReadDb): Promise<number> => {
    const startedAt = performance.now();
    await read(db);
    return performance.now() - startedAt;
  };
  const cold: number[] = [];
  const warm: number[] = [];
  for (let round = 0; round < READS; round += 1) {
    const db = openReads(path);
    cold.push(await timeOn(db));
    warm.push(await timeOn(db));
    warm.push(await timeOn(db));
    db.close();
  }
  return { 'cold ms': percentile(cold, 0.5), 'warm ms': percentile(warm, 0.5) };
}

/** The floor of reading a state: the same texts out of a table that holds nothing else. */
async function handOutFloor(folder: string, path: string, stateGroup: number): Promise<BenchRow> {
  const reads = openReads(path);
  const entries = await readStateOfGroup(reads, stateGroup);
  reads.close();
  const db = new Database(join(folder, 'floor.db'));
  try {
    db.exec(
      'CREATE TABLE floor (type TEXT NOT NULL, state_key TEXT NOT NULL, event_id TEXT NOT NULL) STRICT',
    );
    const insert = db.prepare('INSERT INTO floor VALUES (:type, :stateKey, :eventId)');
    db.exec('BEGIN');
    for (const entry of entries) insert.run(entry);
    db.exec('COMMIT');
    const read = db.prepare('SELECT type, state_key AS stateKey, event_id AS eventId FROM floor');
    const times: number[] = [];
    for (let round = 0; round < READS; round += 1) {
      const startedAt = performance.now();
      read.all();
      times.push(performance.now() - startedAt);
    }
    return {
      name: `floor: ${entries.length} rows of one table`,
      figures: { 'warm ms': percentile(times, 0.5) },
    };
  } finally {
    db.close();
  }
}

/** The longest chain, and the group that has it: the worst to read. */
function worstGroup(path: string): { readonly stateGroup: number; readonly hops: number } {
  const db = new Database(path, { readonly: true });
  try {
    const depthOf = new Map<number, number>();
    const rows = db
      .prepare('SELECT state_group AS stateGroup, parent FROM state_groups ORDER BY state_group')
      .all();
    let worst = { stateGroup: 0, hops: -1 };
    for (const { stateGroup, parent } of rows as {
      readonly stateGroup: number;
      readonly parent: number | null;
    }[]) {
      const hops = parent === null ? 0 : (depthOf.get(parent) ?? 0) + 1;
      depthOf.set(stateGroup, hops);
      if (hops > worst.hops) worst = { stateGroup, hops };
    }
    return worst;
  } finally {
    db.close();
  }
}

/** What a change of a large room's state costs on disk, and what it costs to read the state at an old event. */
export async function benchStateDisk(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const path = databasePath(folder);
  try {
    const program = await startInBench(folder);
    const roomId = await createBareRoom(program);
    const empty = bytesByTable(path);
    const startedAt = performance.now();
    await joinMadeUpUsers(program, roomId, 1, MEMBERS);
    const joinMs = (performance.now() - startedAt) / MEMBERS;
    const grown = bytesByTable(path);
    await joinMadeUpUsers(program, roomId, MEMBERS, MEMBERS + FURTHER_JOINS);
    const after = bytesByTable(path);
    // Everybody leaves or changes a name: the state does not grow any more, and checkpoints come.
    await joinMadeUpUsers(program, roomId, 1, MEMBERS, 'another name');
    const churned = bytesByTable(path);
    await program.stop();
    const { stateGroup, hops } = worstGroup(path);
    const fsync = sqliteFloor();
    const key = (db: ClosableReadDb): Promise<unknown> => findStateOfGroup(db, stateGroup, JOIN_RULES, '');
    report('state-disk', [
      { name: 'floor: SQLite insert + fsync', figures: { 'warm ms': fsync.p50Ms } },
      { name: `a join, ${MEMBERS} of them, 200 at a time`, figures: { 'warm ms': joinMs } },
      ...costRows(`joins 1 to ${MEMBERS}`, empty, grown, MEMBERS),
      ...costRows(`${FURTHER_JOINS} further joins`, grown, after, FURTHER_JOINS),
      ...costRows(`${MEMBERS - 1} changed names`, after, churned, MEMBERS - 1),
      { name: 'longest chain of groups', figures: { groups: hops } },
      await handOutFloor(folder, path, stateGroup),
      {
        name: 'the state at an old event, the longest chain',
        figures: await timesOf(path, (db) => readStateOfGroup(db, stateGroup)),
      },
      { name: 'the current state', figures: await timesOf(path, (db) => readCurrentState(db, roomId)) },
      { name: 'one entry at an old event, the longest chain', figures: await timesOf(path, key) },
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
