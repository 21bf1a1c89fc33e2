import { type ConfigChanges, compareConfigs, namedOptions, valueOf } from '../src/config/config-changes.ts';
import type { Config } from '../src/config/config.ts';
import type { ConfigProblem } from '../src/config/layer.ts';
import { toConfig } from '../src/config/load-config.ts';
import type { ConfigFile, ConfigSchema } from '../src/config/schema.ts';
import type {
  ConfigReport,
  LogLevelOverride,
  LogLevelReport,
  LogLevelWish,
  OptionReport,
  ReloadReport,
} from '../src/inspector/settings-report.ts';
import type { Clock, Timer } from '../src/kit/clock.ts';
import type { Json } from '../src/kit/json.ts';
import type { LogLevels } from '../src/kit/log-levels.ts';
import type { Logger, LogLevel } from '../src/kit/logger.ts';

/** What may change while the server runs, as every thread is told of it. */
export interface Settings {
  readonly config: Config;
  readonly logLevels: LogLevels;
}

/** From where the configuration was read, and is read again. */
export interface ConfigurationSource {
  readonly schema: ConfigSchema;
  /** What the server was started with. */
  readonly started: ConfigFile;
  /** What is there now, or what is wrong about it. */
  readonly read: () => ConfigFile | readonly ConfigProblem[];
}

/** Keeps what may change while the server runs, and tells the threads of it. */
export interface SettingsDesk {
  readonly current: Settings;
  /** Reads the configuration again, and has what can change take effect; null when nobody said from where. */
  reload(): ReloadReport | null;
  /** Null when nobody said from where the configuration came. */
  describeConfig(): ConfigReport | null;
  logLevels(): LogLevelReport;
  setLogLevel(wish: LogLevelWish): LogLevelReport;
  /** Ends its timers. */
  close(): void;
}

export interface SettingsDeskOptions {
  /** What runs: its listeners' ports are real ones. */
  readonly config: Config;
  readonly source: ConfigurationSource | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** Tells every thread, this one too. */
  tell(settings: Settings): void;
}

type Overrides = ReadonlyMap<string, { readonly override: LogLevelOverride; readonly timer: Timer | null }>;

/** What takes effect of a file: where things listen, and how many, stays. */
function takeOver(running: Config, file: ConfigFile): Config {
  const next = toConfig(file, 1);
  const { listen, gateways } = running.server;
  return {
    ...next,
    server: { ...next.server, listen, gateways },
    federation: { ...next.federation, listen: running.federation.listen },
    inspector: running.inspector,
  };
}

function readAgain({ schema, read }: ConfigurationSource, running: ConfigFile) {
  const found = read();
  if ('server' in found) return { changes: compareConfigs(schema, running, found), problems: [] };
  return { changes: null, problems: found };
}

/** Every option as it holds. Where things listen is shown as the file says it: the inspector's reader knows the port. */
function describeOptions(
  { schema }: ConfigurationSource,
  holds: ConfigFile,
  waiting: readonly string[],
): OptionReport[] {
  return namedOptions(schema).map((named) => {
    const value = valueOf(holds, named) as Json;
    const shown = named.option.isSecret ? (value === '' ? '' : '(not shown)') : value;
    const { changes } = named.option;
    return { name: named.name, changes, value: shown, needsRestart: waiting.includes(named.name) };
  });
}

function levelsOf(configured: LogLevel, overrides: Overrides): LogLevels {
  const threads: Record<string, LogLevel> = {};
  const actors: Record<string, LogLevel> = {};
  let level = configured;
  for (const { override } of overrides.values()) {
    if (override.actor !== null) actors[override.actor] = override.level;
    else if (override.thread !== null) threads[override.thread] = override.level;
    else level = override.level;
  }
  return { level, threads, actors };
}

/** The levels that were set while the server runs, and their ends. */
function createOverrides({ clock }: SettingsDeskOptions, changed: () => void) {
  const overrides = new Map<string, { override: LogLevelOverride; timer: Timer | null }>();
  const drop = (key: string): void => {
    const timer = overrides.get(key)?.timer ?? null;
    if (timer !== null) clock.cancel(timer);
    overrides.delete(key);
  };
  return {
    all: overrides as Overrides,
    drop,
    set({ thread, actor, level, forMs }: LogLevelWish): void {
      const key = JSON.stringify([thread, actor]);
      drop(key);
      if (level === null) return;
      const end = (): void => {
        overrides.delete(key);
        changed();
      };
      const untilTs = forMs === null ? null : clock.now() + forMs;
      const timer = forMs === null ? null : clock.after(forMs, end);
      overrides.set(key, { override: { thread, actor, level, untilTs }, timer });
    },
  };
}

function logReload(log: Logger, report: ReloadReport): void {
  const { outcome, tookEffect, needRestart, problems } = report;
  if (outcome === 'wrong') {
    log.error('the configuration is wrong: nothing has changed', { problems });
    return;
  }
  log.info('the configuration was read again', { outcome, tookEffect });
  if (needRestart.length > 0) log.warn('these options change with the next start', { options: needRestart });
}

/** Makes the desk. */
export function createSettingsDesk(options: SettingsDeskOptions): SettingsDesk {
  const { source, clock, log } = options;
  let { config } = options;
  let holds: ConfigFile | null = source?.started ?? null;
  let lastReload: ReloadReport | null = null;
  let waiting: readonly string[] = [];
  const current = (): Settings => ({ config, logLevels: levelsOf(config.log.level, overrides.all) });
  const tell = (): void => options.tell(current());
  const overrides = createOverrides(options, tell);

  const apply = ({ effective, tookEffect, needRestart }: ConfigChanges): void => {
    holds = effective;
    waiting = needRestart;
    if (tookEffect.length === 0) return;
    config = takeOver(config, effective);
    // Who writes a level into the file wants that one.
    if (tookEffect.includes('log.level')) overrides.drop(JSON.stringify([null, null]));
    tell();
  };
  const logLevels = (): LogLevelReport => ({
    configured: config.log.level,
    overrides: [...overrides.all.values()].map(({ override }) => override),
  });
  return {
    get current() {
      return current();
    },
    reload() {
      if (source === null || holds === null) return null;
      const { changes, problems } = readAgain(source, holds);
      if (changes !== null) apply(changes);
      const { tookEffect = [], needRestart = waiting } = changes ?? {};
      const outcome = changes === null ? 'wrong' : tookEffect.length === 0 ? 'unchanged' : 'applied';
      lastReload = { ts: clock.now(), outcome, tookEffect, needRestart, problems };
      logReload(log, lastReload);
      return lastReload;
    },
    describeConfig() {
      if (source === null || holds === null) return null;
      return { options: describeOptions(source, holds, waiting), lastReload };
    },
    logLevels,
    setLogLevel(wish) {
      overrides.set(wish);
      const { actor, thread, level, forMs } = wish;
      log.warn('the log level was changed', { of: actor ?? thread ?? 'everything', to: level, forMs });
      tell();
      return logLevels();
    },
    close() {
      for (const key of overrides.all.keys()) overrides.drop(key);
    },
  };
}
