import { isDeepStrictEqual } from 'node:util';
import type { ConfigFile, ConfigSchema, Option } from './schema.ts';

/** One option and its place in a file. */
export interface NamedOption {
  /** `section.key` */
  readonly name: string;
  readonly section: string;
  readonly key: string;
  readonly option: Option;
}

/** Every option of a schema, in its order. */
export function namedOptions(schema: ConfigSchema): NamedOption[] {
  return Object.entries(schema).flatMap(([section, options]) =>
    Object.entries(options).map(([key, option]) => ({ name: `${section}.${key}`, section, key, option })),
  );
}

/** The value of an option in a configuration as files write it. */
export function valueOf(file: ConfigFile, { section, key }: Pick<NamedOption, 'section' | 'key'>): unknown {
  // Every option was checked against the schema, and the defaults hold all of them.
  return (file as unknown as Readonly<Record<string, Readonly<Record<string, unknown>>>>)[section]?.[key];
}

/** What becomes of a configuration that was read again. */
export interface ConfigChanges {
  /** What holds from now on: the new values of options that can change while the server runs, of all others those that it was started with. */
  readonly effective: ConfigFile;
  /** Options with a new value that holds from now on, by name. */
  readonly tookEffect: readonly string[];
  /** Options whose value in the file is not the one that the server was started with. */
  readonly needRestart: readonly string[];
}

/**
 * Compares a configuration that was read again with the one that holds.
 *
 * @param running what holds
 * @param read what the file and the environment say now
 */
export function compareConfigs(schema: ConfigSchema, running: ConfigFile, read: ConfigFile): ConfigChanges {
  const effective: Record<string, Record<string, unknown>> = {};
  const tookEffect: string[] = [];
  const needRestart: string[] = [];
  for (const named of namedOptions(schema)) {
    const [was, is] = [valueOf(running, named), valueOf(read, named)];
    const isLive = named.option.changes === 'live';
    (effective[named.section] ??= {})[named.key] = isLive ? is : was;
    if (!isDeepStrictEqual(was, is)) (isLive ? tookEffect : needRestart).push(named.name);
  }
  return { effective: effective as unknown as ConfigFile, tookEffect, needRestart };
}
