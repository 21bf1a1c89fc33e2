/** What db/kit uses of better-sqlite3 13, which ships no types of its own. */
declare module 'better-sqlite3' {
  interface RunResult {
    readonly changes: number;
    readonly lastInsertRowid: number | bigint;
  }

  interface Statement {
    /** True when the statement gives rows: SELECT, RETURNING, most pragmas. */
    readonly reader: boolean;
    run(params?: object): RunResult;
    get(params?: object): unknown;
    all(params?: object): unknown[];
    /** From now on gives the first column in place of a row. */
    pluck(): this;
  }

  interface Options {
    readonly readonly?: boolean;
    readonly fileMustExist?: boolean;
    /** How long a locked database is waited for, in milliseconds. Blocks the thread. */
    readonly timeout?: number;
  }

  interface BackupProgress {
    readonly totalPages: number;
    readonly remainingPages: number;
  }

  class Database {
    constructor(path: string, options?: Options);
    readonly name: string;
    readonly open: boolean;
    readonly inTransaction: boolean;
    prepare(sql: string): Statement;
    exec(sql: string): this;
    pragma(source: string, options?: { readonly simple?: boolean }): unknown;
    /**
     * Copies the database into a file, in steps, of which `progress` gives the size in pages. A read transaction that is open on this connection holds
     * for all of them.
     */
    backup(
      path: string,
      options: { readonly progress: (done: BackupProgress) => number },
    ): Promise<BackupProgress>;
    close(): this;
    static readonly SqliteError: typeof SqliteError;
  }

  class SqliteError extends Error {
    /** The extended result code by name, such as `SQLITE_IOERR_FSYNC`. */
    readonly code: string;
  }

  export = Database;
}
