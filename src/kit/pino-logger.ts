import { type Logger as PinoLogger, pino } from 'pino';
import { createLogLevelSwitch, isLogged, type LogLevelSwitch } from './log-levels.ts';
import type { LogFields, Logger, LogLevel } from './logger.ts';

/** Takes one finished line, its newline included. */
export type LogSink = (line: string) => void;

/** How to make a logger. */
export interface LoggerOptions {
  /** Lines below it are dropped: one level for good, or what a switch says at the moment. */
  readonly level: LogLevel | LogLevelSwitch;
  /** The name of this thread: stands in every line. */
  readonly thread: string;
  readonly sink: LogSink;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Whose lines a logger writes. */
interface Speaker {
  readonly levels: LogLevelSwitch;
  readonly thread: string;
  readonly actor: string | null;
}

function wrap(inner: PinoLogger, speaker: Speaker): Logger {
  const { levels, thread, actor } = speaker;
  let version = levels.version;
  let level = levels.levelOf(thread, actor);
  const levelNow = (): LogLevel => {
    if (version !== levels.version) {
      version = levels.version;
      level = levels.levelOf(thread, actor);
    }
    return level;
  };
  const write =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void => {
      if (!isLogged(name, levelNow())) return;
      if (fields === undefined) inner[name](message);
      else inner[name](fields, message);
    };
  return {
    get level() {
      return levelNow();
    },
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child(fields) {
      const name = fields['actor'];
      return wrap(inner.child(fields), { ...speaker, actor: typeof name === 'string' ? name : actor });
    },
  };
}

/**
 * Makes the logger of a thread: one JSON object a line with `time`, `level`, `thread`, `message` and the fields; an `Error` under
 * `error` keeps its stack.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { level, thread } = options;
  const levels = typeof level === 'string' ? createLogLevelSwitch(level) : level;
  const inner = pino(
    {
      // What is written is decided before pino sees it.
      level: 'trace',
      base: { thread },
      messageKey: 'message',
      errorKey: 'error',
      timestamp: () => `,"time":"${new Date(options.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: options.sink },
  );
  return wrap(inner, { levels, thread, actor: null });
}
