import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { StreamDeclaration } from '../../../db/kit/positions.ts';
import { openReadConnection, openWriteConnection } from '../../../db/kit/sqlite.ts';

/** What a keeper is to do. */
export interface KeeperOrder {
  readonly path: string;
  /** Each is a table of that name too; the writers take them in turn. */
  readonly streams: readonly string[];
  readonly life: number;
  readonly writers: number;
  /** Sets of each writer. */
  readonly setsMax: number;
  /** Characters that every text is longer by. */
  readonly padding: number;
  /** The stream whose first insert kills the process inside its transaction. */
  readonly diesIn: string | null;
}

/** What a keeper says: a line of JSON each. */
export type KeeperAnswer =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'committed';
      readonly stream: string;
      readonly position: number;
      readonly texts: readonly string[];
    }
  | { readonly kind: 'unavailable'; readonly fault: string; readonly detail: string };

/** The stream of a table of notes. */
export function createNotesOf(stream: string): StreamDeclaration {
  return { name: stream, owner: 'keeper', tables: [{ table: stream, column: 'position' }] };
}

/** Adds the tables to a migrated database. */
export function createTables(path: string, streams: readonly string[]): void {
  const connection = openWriteConnection(path);
  for (const stream of streams)
    connection.exec(`CREATE TABLE ${stream} (position INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT`);
  connection.close();
}

/** What the database holds of a stream. */
export function readNotes(path: string, stream: string) {
  const connection = openReadConnection(path);
  const rows = connection.prepare(`SELECT position, text FROM ${stream} ORDER BY position`).all() as {
    readonly position: number;
    readonly text: string;
  }[];
  const mark = connection
    .prepare('SELECT position FROM stream_positions WHERE stream = :stream')
    .pluck()
    .get({ stream });
  connection.close();
  return { rows, mark: (mark ?? 0) as number };
}

/** A keeper that has started and waits for its order. */
export interface Keeper {
  readonly process: ChildProcess;
  readonly answers: readonly KeeperAnswer[];
  order(order: KeeperOrder): void;
  /** Resolves at its first answer to an order, or at its end. */
  answered(): Promise<unknown>;
  /** Resolves when it has ended and all that it said was read; with what it wrote to its standard error. */
  ended(): Promise<string>;
}

let compileCache: string | undefined;

/** Keepers are compiled once, not once per start: that is most of what a start costs. */
function getCompileCache(): string {
  if (compileCache !== undefined) return compileCache;
  const folder = mkdtempSync(join(tmpdir(), 'troupe-compiled-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  compileCache = folder;
  return folder;
}

/**
 * Starts a keeper.
 *
 * @param limit a shell command that limits it first, such as `ulimit -f 100`
 */
export async function startKeeper(limit = 'true'): Promise<Keeper> {
  const script = fileURLToPath(new URL('./note-keeper.ts', import.meta.url));
  const child = spawn('sh', ['-c', `${limit} && exec "$0" "$1"`, process.execPath, script], {
    stdio: 'pipe',
    env: { ...process.env, NODE_COMPILE_CACHE: getCompileCache() },
  });
  const answers: KeeperAnswer[] = [];
  const errors: string[] = [];
  // A test that fails must not leave it behind, nor wait for it.
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('close', () => process.off('exit', end));
  child.unref();
  const lines = createInterface({ input: child.stdout });
  const ready = once(lines, 'line');
  lines.on('line', (line) => {
    // A line that the kill has cut off was never said.
    if (line.endsWith('}')) answers.push(JSON.parse(line) as KeeperAnswer);
  });
  child.stderr.on('data', (chunk) => errors.push(String(chunk)));
  const closed = Promise.all([once(child, 'close'), once(lines, 'close')]);
  await Promise.race([ready, closed]);
  const answered = once(lines, 'line');
  return {
    answered: () => Promise.race([answered, closed]),
    process: child,
    answers,
    order: (order) => void child.stdin.write(`${JSON.stringify(order)}\n`),
    ended: async () => {
      await closed;
      return errors.join('');
    },
  };
}
