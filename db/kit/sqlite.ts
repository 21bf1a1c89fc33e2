import { join } from 'node:path';
import Database from 'better-sqlite3';

/** One connection to the database file. Only db/kit sees it. */
export type SqliteConnection = InstanceType<typeof Database>;

/** A prepared statement of one connection. */
export type SqliteStatement = ReturnType<SqliteConnection['prepare']>;

/** How long a statement waits, blocking its thread, for a lock that a foreign program holds (a backup tool, a shell). */
export const BUSY_TIMEOUT_MS = 1_000;

/** Page cache of the write connection. */
export const WRITE_CACHE_KIB = 8_192;

/** Page cache of one read connection; a commit elsewhere empties it, so that a large one would not pay. */
export const READ_CACHE_KIB = 2_048;

/** The write-ahead log is moved into the database file whenever it has grown by this many pages. */
export const CHECKPOINT_PAGES = 2_000;

/** What is left of a write-ahead log file that had to grow beyond this while a snapshot held it. */
export const WAL_FILE_BYTES_MAX = 32 * 1024 * 1024;

/** The name of the database inside the data folder. */
export const DATABASE_FILE = 'troupe.db';

/** Where the database lies in the data folder of the configuration. */
export function databasePath(dataFolder: string): string {
  return join(dataFolder, DATABASE_FILE);
}

/**
 * Opens the one connection that writes, and creates the file when there is none. Sets WAL mode, which stays in the file: the first
 * call has to be over before other threads open it, because two threads that both set it get SQLITE_BUSY whatever the timeout.
 *
 * @throws SqliteError when the file cannot be opened for writing
 */
export function openWriteConnection(path: string): SqliteConnection {
  const connection = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    if (connection.pragma('journal_mode = WAL', { simple: true }) !== 'wal')
      throw new Error(`${path} cannot be kept in WAL mode: is it on a network file system?`);
    connection.pragma('synchronous = FULL');
    connection.pragma('foreign_keys = OFF');
    connection.pragma('trusted_schema = OFF');
    connection.pragma('temp_store = MEMORY');
    connection.pragma(`cache_size = -${WRITE_CACHE_KIB}`);
    connection.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    connection.pragma(`journal_size_limit = ${WAL_FILE_BYTES_MAX}`);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Opens a connection that can only read.
 *
 * @throws SqliteError when the file does not exist or cannot be read
 */
export function openReadConnection(path: string): SqliteConnection {
  const connection = new Database(path, { timeout: BUSY_TIMEOUT_MS, readonly: true, fileMustExist: true });
  try {
    connection.pragma('query_only = ON');
    connection.pragma('foreign_keys = OFF');
    connection.pragma('trusted_schema = OFF');
    connection.pragma('temp_store = MEMORY');
    connection.pragma(`cache_size = -${READ_CACHE_KIB}`);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** The SQLite result code of an error, such as `SQLITE_FULL`; undefined for an error that is not SQLite's. */
export function findSqliteCode(error: unknown): string | undefined {
  return error instanceof Database.SqliteError ? error.code : undefined;
}
