import Database from 'better-sqlite3';

/** The version of the database engine that this program brings along. */
export function sqliteVersion(): string {
  const connection = new Database(':memory:');
  try {
    const row = connection.prepare('SELECT sqlite_version() AS version').get() as {
      readonly version: string;
    };
    return row.version;
  } finally {
    connection.close();
  }
}
