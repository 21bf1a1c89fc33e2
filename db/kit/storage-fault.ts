import { accessSync, constants, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { findSqliteCode } from './sqlite.ts';
import type { StorageFault } from './write-set.ts';

/** Storage could not take a write: nobody's mistake, and it may pass. */
export interface StorageFailure {
  readonly fault: StorageFault;
  /** For the admin: SQLite's code and words. */
  readonly detail: string;
}

const FAULT_BY_PRIMARY_CODE: Readonly<Record<string, StorageFault>> = {
  SQLITE_FULL: 'disk-full',
  SQLITE_READONLY: 'read-only',
  SQLITE_IOERR: 'input-output',
  SQLITE_CANTOPEN: 'input-output',
  SQLITE_CORRUPT: 'input-output',
  SQLITE_NOTADB: 'input-output',
  SQLITE_NOLFS: 'input-output',
  SQLITE_PERM: 'read-only',
  SQLITE_BUSY: 'busy',
  SQLITE_LOCKED: 'busy',
  SQLITE_PROTOCOL: 'busy',
};

/** `SQLITE_IOERR_FSYNC` → `SQLITE_IOERR`. */
function primaryCode(code: string): string {
  return code.split('_', 2).join('_');
}

/**
 * SQLite says "input/output error" for much that the file system knows better: a quota, a log index that could not grow,
 * a file system that was mounted read-only after an error of the disk.
 */
function refine(path: string): StorageFault {
  try {
    accessSync(path, constants.W_OK);
    accessSync(dirname(path), constants.W_OK);
  } catch {
    return 'read-only';
  }
  try {
    return statfsSync(dirname(path)).bavail === 0 ? 'disk-full' : 'input-output';
  } catch {
    return 'input-output';
  }
}

/**
 * Tells an error of storage from a defect of a statement.
 *
 * @param path of the database, to ask its file system
 * @returns undefined when the error is not one of storage (a violated constraint, a wrong parameter, …)
 */
export function findStorageFailure(error: unknown, path: string): StorageFailure | undefined {
  const code = findSqliteCode(error);
  if (code === undefined) return undefined;
  const fault = FAULT_BY_PRIMARY_CODE[primaryCode(code)];
  if (fault === undefined) return undefined;
  const detail = `${code}: ${(error as Error).message}`;
  return { fault: fault === 'input-output' ? refine(path) : fault, detail };
}
