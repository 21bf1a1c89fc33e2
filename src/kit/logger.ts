/** How much a line matters; a logger drops what is below its level. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Fields of a log line: plain data; an `Error` under `error` is written with its stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A structured logger. Lines are JSON objects: `time`, `level`, `thread`, `message` and the fields. */
export interface Logger {
  /** The lowest that is written, at this moment. */
  readonly level: LogLevel;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

/** A logger that writes nothing, for pure tests. */
export const silentLogger: Logger = {
  level: 'silent',
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
