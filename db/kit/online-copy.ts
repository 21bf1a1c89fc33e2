import { openReadConnection, openWriteConnection } from './sqlite.ts';

/** Pages that are copied between two looks at whether to go on: 4 MiB. */
const PAGES_PER_STEP = 1_024;

/** How far a copy is. */
export interface CopyProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** How a copy is watched and ended. */
export interface CopyOptions {
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Copies the database as it is at one moment, while its server goes on writing: page by page, in the order of the file, under one read
 * transaction. Nobody waits for it; as long as it runs the write-ahead log cannot begin anew and grows by what is written meanwhile. The copy
 * is one file without a log of its own. `VACUUM INTO` would hold the log about as long (468 MB beside a writer: 1.8 to 3 s each), but it is one
 * call that can neither be watched nor ended, and builds every index anew.
 *
 * @param to a file that does not exist; what is there after a failure is of no use
 * @throws SqliteError; the signal's reason when it is aborted
 */
export async function copyDatabase(path: string, to: string, options: CopyOptions = {}): Promise<void> {
  const { onProgress, signal } = options;
  const connection = openReadConnection(path);
  try {
    const pageBytes = Number(connection.pragma('page_size', { simple: true }));
    connection.exec('BEGIN DEFERRED');
    // SQLite pins what is seen at the first read, not at BEGIN.
    connection.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get();
    await connection.backup(to, {
      progress({ totalPages, remainingPages }) {
        signal?.throwIfAborted();
        onProgress?.({
          doneBytes: (totalPages - remainingPages) * pageBytes,
          totalBytes: totalPages * pageBytes,
        });
        return PAGES_PER_STEP;
      },
    });
    connection.exec('ROLLBACK');
  } finally {
    connection.close();
  }
  leaveWalMode(to);
}

/** Makes a database one file that any tool opens, also where it cannot write: the server sets the mode again when it starts. */
export function leaveWalMode(path: string): void {
  const connection = openWriteConnection(path);
  try {
    connection.pragma('journal_mode = DELETE');
  } finally {
    connection.close();
  }
}
