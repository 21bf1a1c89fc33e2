import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { ConfigProblem } from '../config/layer.ts';
import { ConfigError, loadConfigFile, toConfig } from '../config/load-config.ts';
import { type ConfigFile, configSchema, type ConfigSchema } from '../config/schema.ts';
import { PROGRAM_FOLDER, readText } from '../kit/program-files.ts';
import { KNOWN_ROOM_VERSIONS } from '../matrix/rooms/room-versions.ts';

/** Where the built-in options are. */
export const BUILT_IN_CONFIG = join(PROGRAM_FOLDER, 'config.toml');

/** The built-in options, as text. */
export function readBuiltInConfig(): string {
  return readText(BUILT_IN_CONFIG);
}

/** What the administrator's file is called where none is named: `troupe init` writes one of that name. */
const USUAL_FILE = 'config.toml';

/** Whether a file is the one that holds the built-in options. */
export function isBuiltInConfig(file: string): boolean {
  return (
    existsSync(file) && existsSync(BUILT_IN_CONFIG) && realpathSync(file) === realpathSync(BUILT_IN_CONFIG)
  );
}

/**
 * The administrator's file: the one that is named, or `config.toml` in the current folder; undefined when there is none.
 *
 * @param named what `--config` says
 * @param folder the current folder
 */
export function findConfigFile(named: string | undefined, folder: string): string | undefined {
  if (named !== undefined) return named;
  const usual = join(folder, USUAL_FILE);
  return existsSync(usual) && !isBuiltInConfig(usual) ? usual : undefined;
}

/** The administrator's file cannot be read. */
export class ConfigFileUnreadable extends Error {
  constructor(file: string, cause: unknown) {
    super(`the configuration file ${file} cannot be read: ${(cause as Error).message}`);
    this.name = 'ConfigFileUnreadable';
  }
}

function readOwn(file: string): { readonly file: string; readonly text: string } {
  try {
    return { file, text: readFileSync(file, 'utf8') };
  } catch (error) {
    throw new ConfigFileUnreadable(file, error);
  }
}

const ROOM_VERSION_IDS: readonly string[] = KNOWN_ROOM_VERSIONS.map(({ id }) => id);

/** Every option that there is. */
export function readSchema(): ConfigSchema {
  return configSchema(ROOM_VERSION_IDS);
}

/** A configuration as files write it, ready for use. */
export function configOf(file: ConfigFile): Config {
  return toConfig(file, availableParallelism());
}

/**
 * Reads the configuration as files write it: the built-in one, the administrator's file where one is named, and the environment.
 *
 * @throws ConfigError naming every wrong key, type and value; ConfigFileUnreadable
 */
export function readConfigFile(
  ownFile: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigFile {
  const own = ownFile === undefined ? {} : { own: readOwn(ownFile) };
  return loadConfigFile({
    defaults: { file: 'config.toml', text: readBuiltInConfig() },
    ...own,
    environment,
    roomVersions: ROOM_VERSION_IDS,
  });
}

/** The same while the server runs: what is wrong about it ends nothing. */
export function readConfigAgain(
  ownFile: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigFile | readonly ConfigProblem[] {
  try {
    return readConfigFile(ownFile, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    if (error instanceof ConfigFileUnreadable) return [{ where: ownFile ?? '', what: error.message }];
    throw error;
  }
}

/**
 * Reads the configuration, ready for use.
 *
 * @throws ConfigError naming every wrong key, type and value; ConfigFileUnreadable
 */
export function readConfig(
  ownFile: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  return configOf(readConfigFile(ownFile, environment));
}
