import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type GroupCommit, openGroupCommit } from '../../db/kit/group-commit.ts';
import { loadQueries } from '../../db/kit/load-queries.ts';
import { applyMigrations } from '../../db/kit/migrator.ts';
import type { StreamDeclaration } from '../../db/kit/positions.ts';
import type { Query } from '../../db/kit/query.ts';
import { type ClosableReadDb, openReadDb } from '../../db/kit/read-connections.ts';
import { DATABASE_FILE } from '../../db/kit/sqlite.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import type { DurableStream } from '../../src/streams/stream.ts';

const STREAMS_FOLDER = join(import.meta.dirname, '../../src/streams');

/** Figures that nobody reads. */
export const silentMetrics: Metrics = {
  counter: () => ({ add: () => undefined }),
  gauge: () => ({ set: () => undefined, read: () => 0 }),
  histogram: () => ({ record: () => undefined }),
  text: () => ({ set: () => undefined }),
};

/** Every durable stream that a file of `src/streams/` defines. */
export async function loadDurableStreams(): Promise<readonly DurableStream<string, unknown>[]> {
  const files = readdirSync(STREAMS_FOLDER).filter((file) => file.endsWith('-stream.ts'));
  const modules = await Promise.all(
    files.map((file) => import(pathToFileURL(join(STREAMS_FOLDER, file)).href) as Promise<object>),
  );
  return modules
    .flatMap((module) => Object.values(module) as unknown[])
    .filter(
      (value): value is DurableStream<string, unknown> =>
        typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'durable',
    );
}

interface Template {
  readonly path: string;
  readonly queries: ReadonlyMap<string, Query>;
  readonly streams: readonly StreamDeclaration[];
}

let template: Promise<Template> | undefined;

/** Migrated once per process, then copied. */
async function makeTemplate(): Promise<Template> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-template-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, DATABASE_FILE);
  applyMigrations(path, silentLogger);
  return { path, queries: await loadQueries(), streams: await loadDurableStreams() };
}

/** A migrated database in a folder of its own. */
export interface TestDatabase {
  readonly path: string;
  readonly folder: string;
  /** Of the present life: {@link TestDatabase.restart} replaces it. */
  readonly db: ClosableReadDb;
  /** The group commit itself, without an actor before it. Of the present life too. */
  readonly write: GroupCommit;
  /** Closes both and opens them again, as a restart of the server does. Further streams and queries stay. */
  restart(streams?: readonly StreamDeclaration[]): void;
  /** Closes both and removes the folder. */
  close(): void;
}

/** What differs from the program: further queries (by name) and other streams, for tests of the kit itself. */
export interface TestDatabaseOptions {
  readonly queries?: readonly Query[];
  readonly streams?: readonly StreamDeclaration[];
  readonly metrics?: Metrics;
}

/** The program's queries and streams, with those of the options. */
export async function testDeclarations(
  options: TestDatabaseOptions = {},
): Promise<Pick<Template, 'queries' | 'streams'>> {
  const { queries, streams } = await (template ??= makeTemplate());
  const further = (options.queries ?? []).map((query) => [query.name, query] as const);
  return { queries: new Map([...queries, ...further]), streams: options.streams ?? streams };
}

/**
 * Makes an empty migrated database, in a few milliseconds. Call `close` in `afterEach`.
 */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { path: from } = await (template ??= makeTemplate());
  const { queries, streams: declared } = await testDeclarations(options);
  const folder = mkdtempSync(join(tmpdir(), 'troupe-test-'));
  const path = join(folder, DATABASE_FILE);
  copyFileSync(from, path);
  const environment = { metrics: options.metrics ?? silentMetrics, clock: systemClock, log: silentLogger };
  const open = (streams: readonly StreamDeclaration[]) => ({
    write: openGroupCommit({ path, queries, streams, ...environment }),
    db: openReadDb(path, environment),
  });
  let life = open(declared);
  const end = (): void => {
    life.db.close();
    life.write.close();
  };
  return {
    path,
    folder,
    get db() {
      return life.db;
    },
    get write() {
      return life.write;
    },
    restart(streams = declared) {
      end();
      life = open(streams);
    },
    close() {
      end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
