import { basename, join, relative, sep } from 'node:path';
import { hash } from 'node:crypto';
import type { Logger } from '../../src/kit/logger.ts';
import { listFiles, PROGRAM_FOLDER, readText } from '../../src/kit/program-files.ts';
import { openReadConnection, openWriteConnection, type SqliteConnection } from './sqlite.ts';

/** `db/`: every folder in it but `kit` belongs to an owner. */
export const DB_FOLDER = join(PROGRAM_FOLDER, 'db');

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
  const inside = listFiles(folder).map((file) => relative(folder, file).split(sep));
  const owners = inside.filter(({ length }) => length > 1).map(([owner = '']) => owner);
  return [...new Set(owners)].filter((owner) => owner !== KIT_FOLDER).toSorted();
}

function listMigrations(folder: string, owner: string): readonly Migration[] {
  const inside = join(folder, owner, 'migrations') + sep;
  const migrations = listFiles(join(folder, owner))
    .filter((path) => path.startsWith(inside))
    .map((path): Migration => {
      const file = basename(path);
      const number = FILE_NAME.exec(file)?.[1];
      if (number === undefined)
        throw new MigrationRefused(
          `${owner}/migrations/${file}: a migration is called NNNN-what-it-does.sql`,
        );
      const sql = readText(path);
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

function applyOne(connection: SqliteConnection, migration: Migration): void {
  const { owner, number, file } = migration;
  try {
    connection.exec(migration.sql);
  } catch (error) {
    throw new MigrationRefused(`the migration ${owner}/${file} failed and was undone: ${String(error)}`);
  }
  if (!connection.inTransaction)
    throw new MigrationRefused(`the migration ${owner}/${file} ends its own transaction`);
  connection
    .prepare('INSERT INTO migrations (owner, number, file, hash) VALUES (:owner, :number, :file, :hash)')
    .run({ owner, number, file, hash: migration.hash });
}

/** Applies some migrations in one transaction. */
function apply(connection: SqliteConnection, migrations: readonly Migration[]): void {
  connection.exec('BEGIN IMMEDIATE');
  try {
    for (const migration of migrations) applyOne(connection, migration);
    connection.exec('COMMIT');
  } catch (error) {
    if (connection.inTransaction) connection.exec('ROLLBACK');
    throw error;
  }
}

const READ_APPLIED = 'SELECT owner, number, file, hash FROM migrations ORDER BY owner, number';

/** What a database has of the migrations of this version. */
export interface SchemaStanding {
  /** The highest migration of each owner. */
  readonly applied: Readonly<Record<string, number>>;
  /** How many the next start will apply. */
  readonly pending: number;
}

/**
 * Compares a database with this version, and changes nothing.
 *
 * @throws MigrationRefused when the database is newer, or its migrations are not those of this version; SqliteError when it is no database of ours
 */
export function compareSchema(path: string, folder: string = DB_FOLDER): SchemaStanding {
  const migrations = listOwners(folder).flatMap((owner) => listMigrations(folder, owner));
  const connection = openReadConnection(path);
  try {
    const applied = connection.prepare(READ_APPLIED).all() as readonly Applied[];
    return {
      applied: Object.fromEntries(applied.map(({ owner, number }) => [owner, number])),
      pending: findPending(migrations, applied).length,
    };
  } finally {
    connection.close();
  }
}

/**
 * Brings the database to this version, and creates it when there is none. Runs once, before any thread opens it; every migration of an
 * existing database is one transaction, so that an interrupted run goes on where it stopped.
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
    const applied = connection.prepare(READ_APPLIED).all() as readonly Applied[];
    const pending = findPending(migrations, applied);
    if (pending.length === 0) return;
    if (applied.length > 0)
      log.warn('the database is about to be upgraded, and there is no way back but a copy of it', {
        path,
        migrations: pending.length,
        hint: 'to keep a copy, run "troupe backup FILE" with the old version before starting the new one',
      });
    // A new database is made at once: one wait for the disk, not one for each migration, and after a failure there is nothing.
    const steps = applied.length === 0 ? [pending] : pending.map((migration) => [migration]);
    for (const step of steps) {
      apply(connection, step);
      for (const { owner, file } of step) log.info('applied a migration', { owner, file });
    }
  } finally {
    connection.close();
  }
}
