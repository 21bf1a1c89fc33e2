import { parse, TomlError } from 'smol-toml';
import { isJsonObject } from '../kit/json.ts';
import { lineOf } from './locate.ts';
import type { ConfigSchema, Option } from './schema.ts';

/** Something wrong in the configuration: where, and what would be right. */
export interface ConfigProblem {
  /** `file:line`, or the name of an environment variable. */
  readonly where: string;
  readonly what: string;
}

/** Values of one source: a file or the environment. Not every key need be there. */
export interface ConfigLayer {
  readonly values: Readonly<Record<string, unknown>>;
  readonly problems: readonly ConfigProblem[];
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

/** Whole numbers are welcome where a text of digits is meant, as in `default_version = 10`. */
function normalise(option: Option, value: unknown): unknown {
  return option.reads === 'choice' && Number.isInteger(value) ? String(value) : value;
}

/**
 * Checks the values of one source against the schema, key by key.
 *
 * @param where says where a path stands
 */
export function checkLayer(
  schema: ConfigSchema,
  values: Readonly<Record<string, unknown>>,
  where: (path: readonly string[]) => string,
): ConfigLayer {
  const problems: ConfigProblem[] = [];
  const checked: Record<string, Record<string, unknown>> = {};
  const complain = (path: readonly string[], what: string): void => {
    problems.push({ where: where(path), what });
  };
  for (const [name, given] of Object.entries(values)) {
    const section = schema[name];
    if (section === undefined) {
      complain([name], `there is no section [${name}]; there are: ${Object.keys(schema).join(', ')}`);
      continue;
    }
    if (!isJsonObject(given)) {
      complain([name], `[${name}] must be a section, not ${show(given)}`);
      continue;
    }
    const target = (checked[name] ??= {});
    for (const [key, raw] of Object.entries(given)) {
      const option = section[key];
      if (option === undefined) {
        complain(
          [name, key],
          `there is no option ${name}.${key}; there are: ${Object.keys(section).join(', ')}`,
        );
        continue;
      }
      const value = normalise(option, raw);
      if (option.accepts(value)) target[key] = value;
      else complain([name, key], `${name}.${key} must be ${option.allowed}, not ${show(raw)}`);
    }
  }
  return { values: checked, problems };
}

/**
 * Reads one TOML text.
 *
 * @param file its name, for messages
 */
export function readTomlLayer(schema: ConfigSchema, file: string, text: string): ConfigLayer {
  try {
    return checkLayer(schema, parse(text), (path) => `${file}:${lineOf(text, path)}`);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = `not valid TOML: ${error.message.split('\n')[0] ?? ''}`;
    return { values: {}, problems: [{ where: `${file}:${error.line}:${error.column}`, what }] };
  }
}

const PREFIX = 'TROUPE_';
/** Say where the one-file program unpacks what has to be files, and that `npm start` is to run the sources: both long before there is a configuration. */
const NO_OPTIONS: ReadonlySet<string> = new Set(['TROUPE_CACHE_DIR', 'TROUPE_FROM_SOURCE']);

/** The environment variable of an option. */
export function environmentName(section: string, key: string): string {
  return `${PREFIX}${section}_${key}`.toUpperCase();
}

/** Reads the text of a variable as the option wants it; what cannot be read stays text, and is then refused by the option. */
function readEnvironmentValue(option: Option, text: string): unknown {
  if (option.reads === 'text' || option.reads === 'choice') return text;
  if (option.reads === 'flag') return text === 'true' ? true : text === 'false' ? false : text;
  try {
    return parse(`value = ${text}`)['value'];
  } catch (error) {
    if (error instanceof TomlError) return text;
    throw error;
  }
}

/**
 * Reads `TROUPE_<SECTION>_<KEY>` variables. Tables are written as TOML inline tables. A `TROUPE_…` variable that names no option
 * is a problem, since it is most likely misspelt.
 */
export function readEnvironmentLayer(
  schema: ConfigSchema,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigLayer {
  const options = new Map<string, { section: string; key: string; option: Option }>();
  for (const [section, properties] of Object.entries(schema)) {
    for (const [key, option] of Object.entries(properties)) {
      options.set(environmentName(section, key), { section, key, option });
    }
  }
  const values: Record<string, Record<string, unknown>> = {};
  const problems: ConfigProblem[] = [];
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || text === undefined || NO_OPTIONS.has(name)) continue;
    const found = options.get(name);
    if (found === undefined) {
      problems.push({ where: name, what: `names no option; there are: ${[...options.keys()].join(', ')}` });
      continue;
    }
    (values[found.section] ??= {})[found.key] = readEnvironmentValue(found.option, text);
  }
  const checked = checkLayer(schema, values, ([section = '', key = '']) => environmentName(section, key));
  return { values: checked.values, problems: [...problems, ...checked.problems] };
}
