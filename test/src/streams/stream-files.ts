import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Stream } from '../../../src/streams/stream.ts';

const FOLDER = join(import.meta.dirname, '../../../src/streams');

function isStream(value: unknown): value is Stream {
  const kind = (value as { kind?: unknown } | null)?.kind;
  return typeof value === 'object' && (kind === 'durable' || kind === 'memory');
}

/** Every stream that a file of `src/streams` defines. */
export async function loadStreams(): Promise<readonly Stream[]> {
  const files = readdirSync(FOLDER).filter(
    (file) => file.endsWith('-stream.ts') && !file.startsWith('owned-'),
  );
  const modules = await Promise.all(
    files.map((file) => import(pathToFileURL(join(FOLDER, file)).href) as Promise<object>),
  );
  return modules.flatMap((module) => Object.values(module) as unknown[]).filter(isStream);
}

/** What is wrong with a list of streams, in words; nothing when it is complete. */
export function findGaps(
  registry: readonly Stream[],
  defined: readonly Stream[],
  owners: readonly string[],
): readonly string[] {
  const gaps = defined
    .filter((stream) => !registry.includes(stream))
    .map(({ name }) => `${name} is defined and not registered`);
  const names = registry.map(({ name }) => name);
  const letters = registry.flatMap(({ letter }) => (letter === null ? [] : [letter]));
  const twice = (list: readonly string[]): readonly string[] =>
    list.filter((each, index) => list.indexOf(each) !== index);
  gaps.push(...twice(names).map((name) => `two streams are called ${name}`));
  gaps.push(...twice(letters).map((letter) => `two streams have the letter ${letter}`));
  gaps.push(...letters.filter((letter) => !/^[a-z]$/.test(letter)).map((letter) => `${letter} is no letter`));
  for (const { name, owner } of registry)
    if (!owners.includes(owner)) gaps.push(`${name} belongs to ${owner}, which is no actor`);
  return gaps;
}
