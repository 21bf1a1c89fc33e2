import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IDENTITY_QUERIES, loadIdentity } from '../../db/identity/identity.ts';
import { openGroupCommit } from '../../db/kit/group-commit.ts';
import { loadQueries } from '../../db/kit/load-queries.ts';
import { applyMigrations } from '../../db/kit/migrator.ts';
import type { Query } from '../../db/kit/query.ts';
import { type ClosableReadDb, openReadDb } from '../../db/kit/read-connections.ts';
import { DATABASE_FILE } from '../../db/kit/sqlite.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import type { ServerKey } from '../../src/matrix/signing.ts';
import { makeServerKey } from '../../src/matrix/signing.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { silentMetrics } from '../support/database.ts';
import { type Committed, openCommitted } from './committed.ts';

/** A real database of one run. */
export interface SimulatedDatabase {
  readonly path: string;
  readonly folder: string;
  readonly queries: ReadonlyMap<string, Query>;
  readonly db: ClosableReadDb;
  readonly committed: Committed;
  readonly serverKey: ServerKey;
  whenClosed(action: () => void): void;
  close(): void;
}

/** Memory is where an fsync costs nothing, where there is such a folder. */
const FAST_FOLDER = '/dev/shm';

function newFolder(): string {
  return mkdtempSync(join(existsSync(FAST_FOLDER) ? FAST_FOLDER : tmpdir(), 'troupe-simulation-'));
}

/** A folder with a migrated database to copy, and one for the runs. */
export interface DatabaseFactory {
  open(): SimulatedDatabase;
  remove(): void;
}

/** Gives the server of a database its name and key, as its first start does; the key is always the same. */
async function makeIdentity(path: string, serverName: string): Promise<ServerKey> {
  const parts = { metrics: silentMetrics, clock: systemClock, log: silentLogger };
  const db = openReadDb(path, parts);
  const write = openGroupCommit({ path, queries: IDENTITY_QUERIES, streams: [], ...parts });
  try {
    // Its key is older than the clock of the simulation.
    const clock = { ...systemClock, now: () => 0 };
    return await loadIdentity(db, write, {
      serverName,
      clock,
      random: seededRandom(Buffer.from(serverName).readUInt32BE()),
    });
  } finally {
    // Whoever may write goes last, and leaves everything in the one file that is copied.
    db.close();
    write.close();
  }
}

/**
 * Migrates once. Remove it in the end.
 *
 * @param serverName null: what is signed is not looked at by anybody, and the database says nothing of a key
 */
export async function createDatabaseFactory(serverName: string | null = null): Promise<DatabaseFactory> {
  const folder = newFolder();
  const template = join(folder, 'template.db');
  applyMigrations(template, silentLogger);
  const queries = await loadQueries();
  const serverKey =
    serverName === null
      ? makeServerKey(seededRandom(1).bytes(32), 'sim')
      : await makeIdentity(template, serverName);
  const path = join(folder, DATABASE_FILE);
  return {
    open() {
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
      copyFileSync(template, path);
      const db = openReadDb(path, { metrics: silentMetrics, clock: systemClock, log: silentLogger });
      const committed = openCommitted(path);
      const closers: (() => void)[] = [];
      return {
        path,
        folder,
        queries,
        serverKey,
        db,
        committed,
        whenClosed: (action) => void closers.push(action),
        close() {
          for (const action of closers) action();
          committed.close();
          db.close();
        },
      };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
