import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { findSqliteCode } from './sqlite.ts';

const LOCK_FILE = 'lock.db';
const FOLDER_MODE = 0o700;

/** Another server uses the data folder. */
export class FolderInUse extends Error {
  constructor(folder: string) {
    super(`the data folder ${folder} is in use by another running server`);
    this.name = 'FolderInUse';
  }
}

/** Stands in the data folder while a restore moves things into it: until then what is there is neither the old nor the new. */
export const RESTORE_MARK = 'restore-unfinished';

/** A restore into the data folder was interrupted. */
export class RestoreUnfinished extends Error {
  constructor(folder: string) {
    super(
      `a restore into the data folder ${folder} was interrupted. Run the same "troupe restore" again; ` +
        `what was there before it is kept in a folder named before-restore-… inside.`,
    );
    this.name = 'RestoreUnfinished';
  }
}

/** A held lock; the operating system lets go of it when the process ends, however it ends. */
export interface FolderLock {
  release(): void;
}

/**
 * Makes the data folder when there is none, readable by its owner only, and locks it for this process: two servers on one database
 * would each believe that they alone allocate positions.
 *
 * @param isForRestore a restore may begin anew where one was interrupted
 * @throws FolderInUse when another process holds the lock; RestoreUnfinished
 */
export function lockFolder(folder: string, isForRestore = false): FolderLock {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  if (!isForRestore && existsSync(join(folder, RESTORE_MARK))) throw new RestoreUnfinished(folder);
  const connection = new Database(join(folder, LOCK_FILE), { timeout: 0 });
  try {
    connection.pragma('locking_mode = EXCLUSIVE');
    connection.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    connection.close();
    if (findSqliteCode(error) === 'SQLITE_BUSY') throw new FolderInUse(folder);
    throw error;
  }
  return { release: () => void connection.close() };
}
