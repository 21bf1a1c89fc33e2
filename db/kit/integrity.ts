import { findSqliteCode, openReadConnection } from './sqlite.ts';

/** Damages that are named; more than these say nothing new. */
export const DAMAGES_MAX = 20;

/** Damage that SQLite finds only by running into it. */
const DAMAGE_CODES = ['SQLITE_CORRUPT', 'SQLITE_NOTADB', 'SQLITE_IOERR_SHORT_READ'];

/** Has a statement run into damage of the file? */
export function isDamage(error: unknown): boolean {
  const code = findSqliteCode(error);
  return code !== undefined && DAMAGE_CODES.some((damage) => code.startsWith(damage));
}

/**
 * Lets SQLite look through the whole file. Costs one reading of it, and as long as it runs the write-ahead log of a running server grows.
 *
 * @param isFull also whether each index has what its table has; takes several times as long
 * @returns what it found, at most {@link DAMAGES_MAX} lines; empty when the file is whole
 * @throws SqliteError when the file cannot be opened
 */
export function findDamage(path: string, isFull: boolean): readonly string[] {
  try {
    const connection = openReadConnection(path);
    try {
      const pragma = isFull ? 'integrity_check' : 'quick_check';
      const rows = connection.prepare(`PRAGMA ${pragma}(${DAMAGES_MAX})`).all() as readonly object[];
      return rows.map((row) => String(Object.values(row)[0])).filter((line) => line !== 'ok');
    } finally {
      connection.close();
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    return [`${findSqliteCode(error)}: ${(error as Error).message}`];
  }
}
