import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Connection } from './connection.ts';
import { percentile } from './figures.ts';
import { endProcess, processorMs, startProcess } from './server.ts';

const FLOOR_SERVER = new URL('floor-http-server.ts', import.meta.url).pathname;
const FLOOR_MS = 2_000;

/** What a measurement of many equal requests gives. */
export interface Rate {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Runs `clients` loops of `once` beside each other for `lengthMs`.
 *
 * @param once does one thing for one client and gives how long it took, in milliseconds
 */
export async function measureRate(
  clients: number,
  lengthMs: number,
  once: (client: number) => Promise<number>,
): Promise<Rate> {
  const times: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + lengthMs;
  const loop = async (client: number): Promise<void> => {
    while (performance.now() < endsAt) times.push(await once(client));
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)));
  const seconds = (performance.now() - startedAt) / 1_000;
  return { perSecond: times.length / seconds, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
}

/** A bare `node:http` server in a process of its own, under the same load. */
export async function httpFloor(clients: number, body: string): Promise<Rate> {
  const { child, port } = await startProcess([FLOOR_SERVER], {}, '/');
  const connections = await Promise.all(Array.from({ length: clients }, () => Connection.open(port)));
  try {
    return await measureRate(clients, FLOOR_MS, async (client) => {
      const reply = await connections[client]?.request('PUT', '/send', 'a-token', body);
      return reply?.tookMs ?? Number.NaN;
    });
  } finally {
    for (const connection of connections) connection.close();
    await endProcess(child);
  }
}

/** Processor time of a bare `node:http` server for one request, in microseconds. */
export async function httpFloorProcessor(clients: number, body: string): Promise<number> {
  const { child, port } = await startProcess([FLOOR_SERVER], {}, '/');
  const connections = await Promise.all(Array.from({ length: clients }, () => Connection.open(port)));
  const pid = child.pid ?? 0;
  let requests = 0;
  try {
    const before = processorMs(pid);
    await measureRate(clients, FLOOR_MS, async (client) => {
      requests += 1;
      const reply = await connections[client]?.request('PUT', '/send', 'a-token', body);
      return reply?.tookMs ?? Number.NaN;
    });
    return ((processorMs(pid) - before) * 1_000) / requests;
  } finally {
    for (const connection of connections) connection.close();
    await endProcess(child);
  }
}

/** A bare SQLite insert of one row of an event's size with its fsync, one after another. */
export function sqliteFloor(): Rate {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-floor-'));
  const db = new Database(join(folder, 'floor.db'));
  try {
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.exec('CREATE TABLE floor (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT');
    const insert = db.prepare('INSERT INTO floor (text) VALUES (:text)');
    const text = 'x'.repeat(700);
    const times: number[] = [];
    const startedAt = performance.now();
    while (performance.now() - startedAt < FLOOR_MS) {
      const before = performance.now();
      insert.run({ text });
      times.push(performance.now() - before);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    return {
      perSecond: times.length / seconds,
      p50Ms: percentile(times, 0.5),
      p99Ms: percentile(times, 0.99),
    };
  } finally {
    db.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
