import type { LogLevel } from './logger.ts';

/** From the finest to none. */
export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/** Which lines are written: plain data, the same for every thread. */
export interface LogLevels {
  readonly level: LogLevel;
  /** Other levels of threads and of actors, by name; an actor's wins over its thread's. */
  readonly threads: Readonly<Record<string, LogLevel>>;
  readonly actors: Readonly<Record<string, LogLevel>>;
}

/** Is a line of one level written where another is the lowest? */
export function isLogged(line: LogLevel, lowest: LogLevel): boolean {
  return lowest !== 'silent' && LOG_LEVELS.indexOf(line) >= LOG_LEVELS.indexOf(lowest);
}

/** What the loggers of one thread go by; it may change at any moment. */
export interface LogLevelSwitch {
  /** Counts the changes. */
  readonly version: number;
  /** @param actor null for what the thread itself says */
  levelOf(thread: string, actor: string | null): LogLevel;
  set(levels: LogLevels): void;
}

/** Makes a switch that stands at one level for all. */
export function createLogLevelSwitch(level: LogLevel): LogLevelSwitch {
  let levels: LogLevels = { level, threads: {}, actors: {} };
  let version = 0;
  return {
    get version() {
      return version;
    },
    levelOf: (thread, actor) =>
      (actor === null ? undefined : levels.actors[actor]) ?? levels.threads[thread] ?? levels.level,
    set(next) {
      levels = next;
      version += 1;
    },
  };
}
