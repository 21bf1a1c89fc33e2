import { type Logger as PinoLogger, pino } from 'pino';
import type { LogFields, Logger, LogLevel } from './logger.ts';

/** Takes one finished line, its newline included. */
export type LogSink = (line: string) => void;

/** How to make a logger. */
export interface LoggerOptions {
  /** Lines below it are dropped. */
  readonly level: LogLevel;
  /** The name of this thread: stands in every line. */
  readonly thread: string;
  readonly sink: LogSink;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

function wrap(inner: PinoLogger, level: LogLevel): Logger {
  const write =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void => {
      if (fields === undefined) inner[name](message);
      else inner[name](fields, message);
    };
  return {
    level,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => wrap(inner.child(fields), level),
  };
}

/**
 * Makes the logger of a thread: one JSON object a line with `time`, `level`, `thread`, `message` and the fields; an `Error` under
 * `error` keeps its stack.
 */
export function createLogger(options: LoggerOptions): Logger {
  const inner = pino(
    {
      level: options.level,
      base: { thread: options.thread },
      messageKey: 'message',
      errorKey: 'error',
      timestamp: () => `,"time":"${new Date(options.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: options.sink },
  );
  return wrap(inner, options.level);
}
