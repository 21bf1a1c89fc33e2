import type { ConfigProblem } from '../config/layer.ts';
import type { Milliseconds } from '../kit/clock.ts';
import type { Json } from '../kit/json.ts';
import type { LogLevel } from '../kit/logger.ts';

/** What came of reading the configuration again. */
export interface ReloadReport {
  /** Milliseconds since the Unix epoch. */
  readonly ts: Milliseconds;
  /** `wrong`: nothing has changed. */
  readonly outcome: 'applied' | 'unchanged' | 'wrong';
  readonly tookEffect: readonly string[];
  readonly needRestart: readonly string[];
  readonly problems: readonly ConfigProblem[];
}

/** One option as it is now. */
export interface OptionReport {
  readonly name: string;
  readonly changes: 'live' | 'restart';
  /** What holds; of a secret only whether there is one. */
  readonly value: Json;
  /** The file says something else, which holds from the next start on. */
  readonly needsRestart: boolean;
}

export interface ConfigReport {
  readonly options: readonly OptionReport[];
  /** Null when the configuration was not read again since the start. */
  readonly lastReload: ReloadReport | null;
}

/** A level that was set while the server runs. */
export interface LogLevelOverride {
  /** Both null: of everything. */
  readonly thread: string | null;
  readonly actor: string | null;
  readonly level: LogLevel;
  /** When it ends, in milliseconds since the Unix epoch; null when it stays until the next start. */
  readonly untilTs: Milliseconds | null;
}

export interface LogLevelReport {
  /** What the configuration says. */
  readonly configured: LogLevel;
  readonly overrides: readonly LogLevelOverride[];
}

/** A wish for another log level; a level of null takes an earlier wish back. */
export interface LogLevelWish {
  readonly thread: string | null;
  readonly actor: string | null;
  readonly level: LogLevel | null;
  /** Null: until the next start. */
  readonly forMs: Milliseconds | null;
}
