import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hash } from 'node:crypto';
import type { Logger } from '../../src/kit/logger.ts';
import { openWriteConnection, type SqliteConnection } from './sqlite.ts';

/** `db/`: every folder in it but `kit` belongs to an owner. */
export const DB_FOLDER = join(import.meta.dirname, '..');

const KIT_FOLDER = 'kit';
const FILE_NAME = /^(\d{4})-[a-z0-9-]+\.sql$/;

interface Migration {
  readonly owner: string;
  readonly number: number;
  readonly file: string;
  readonly sql: string;
  readonly hash: string;
}

type Applied = Omit<Migration, 'sql'>;

/** The database and this version of the program do not fit; the message says which migration, and what to do. */
export class MigrationRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MigrationRefused';
  }
}

/** The owners that have something in the database: the folders of `db/` but `kit`. */
export function listOwners(folder: string = DB_FOLDER): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== KIT_FOLDER)
    .map((entry) => entry.name)
    .toSorted();
}

function listMigrations(folder: string, owner: string): readonly Migration[] {
  const inside = join(folder, owner);
  if (!readdirSync(inside).includes('migrations')) return [];
  const migrations = readdirSync(join(inside, 'migrations'))
    .toSorted()
    .map((file): Migration => {
      const number = FILE_NAME.exec(file)?.[1];
      if (number === undefined)
        throw new MigrationRefused(
          `${owner}/migrations/${file}: a migration is called NNNN-what-it-does.sql`,
        );
      const sql = readFileSync(join(inside, 'migrations', file), 'utf8');
      return { owner, number: Number(number), file, sql, hash: hash('sha256', sql) };
    });
  for (const [index, { number, file }] of migrations.entries())
    if (number !== index + 1)
      throw new MigrationRefused(
        `${owner}/migrations/${file}: numbers run from 0001 without gaps or doubles`,
      );
  return migrations;
}

/** Refuses what was applied and is not among the files as it was. Gives what is still to be applied, in order. */
function findPending(migrations: readonly Migration[], applied: readonly Applied[]): readonly Migration[] {
  const byPlace = new Map(
    migrations.map((migration) => [`${migration.owner} ${migration.number}`, migration]),
  );
  for (const { owner, number, file, hash: before } of applied) {
    const now = byPlace.get(`${owner} ${number}`);
    if (now === undefined)
      throw new MigrationRefused(
        `the database has the migration ${owner}/${file}, which this version does not know: ` +
          'it was written by a newer version. Start that version, or restore the copy made before the upgrade.',
      );
    if (now.hash !== before || now.file !== file)
      throw new MigrationRefused(
        `the migration ${owner}/${now.file} is not the one that was applied (${file}): ` +
          'released migrations are never edited. Put the original file back and make the change in a new migration.',
      );
  }
  const places = new Set(applied.map(({ owner, number }) => `${owner} ${number}`));
  const pending = migrations.filter(({ owner, number }) => !places.has(`${owner} ${number}`));
  for (const { owner, number, file } of pending)
    if (applied.some((later) => later.owner === owner && later.number > number))
      throw new MigrationRefused(
        `the migration ${owner}/${file} was never applied, but a later one was: the database is damaged. Restore a backup.`,
      );
  return pending;
}

function apply(connection: SqliteConnection, migration: Migration): void {
  const { owner, number, file } = migration;
  connection.exec('BEGIN IMMEDIATE');
  try {
    connection.exec(migration.sql);
    if (!connection.inTransaction)
      throw new MigrationRefused(`the migration ${owner}/${file} ends its own transaction`);
    connection
      .prepare('INSERT INTO migrations (owner, number, file, hash) VALUES (:owner, :number, :file, :hash)')
      .run({ owner, number, file, hash: migration.hash });
    connection.exec('COMMIT');
  } catch (error) {
    if (connection.inTransaction) connection.exec('ROLLBACK');
    if (error instanceof MigrationRefused) throw error;
    throw new MigrationRefused(`the migration ${owner}/${file} failed and was undone: ${String(error)}`);
  }
}

/**
 * Brings the database to this version, and creates it when there is none. Runs once, before any thread opens it; every migration is
 * one transaction, so that an interrupted run goes on where it stopped.
 *
 * @param path of the database file; its folder exists
 * @param folder the `db/` to take migrations from
 * @throws MigrationRefused when the database is newer, a migration was edited, or one fails
 */
export function applyMigrations(path: string, log: Logger, folder: string = DB_FOLDER): void {
  const migrations = listOwners(folder).flatMap((owner) => listMigrations(folder, owner));
  if (migrations.length === 0) throw new MigrationRefused(`there are no migrations in ${folder}`);
  const connection = openWriteConnection(path);
  try {
    connection.exec(`
      CREATE TABLE IF NOT EXISTS migrations (
        owner  TEXT NOT NULL,
        number INTEGER NOT NULL,
        file   TEXT NOT NULL,
        hash   TEXT NOT NULL,
        PRIMARY KEY (owner, number)
      ) STRICT, WITHOUT ROWID`);
    const applied = connection
      .prepare('SELECT owner, number, file, hash FROM migrations ORDER BY owner, number')
      .all() as readonly Applied[];
    const pending = findPending(migrations, applied);
    if (pending.length === 0) return;
    if (applied.length > 0)
      log.warn('the database is about to be upgraded, and there is no way back but a copy of it', {
        path,
        migrations: pending.length,
        hint: 'to keep a copy, stop the server and copy the whole data folder before starting the new version',
      });
    for (const migration of pending) {
      apply(connection, migration);
      log.info('applied a migration', { owner: migration.owner, file: migration.file });
    }
  } finally {
    connection.close();
  }
}
