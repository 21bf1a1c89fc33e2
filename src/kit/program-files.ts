import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// The one place that knows that the program lies in files. In a bundle, where it does not, src/binary/bundled-files.ts stands in its place.

/** The folder of the program: `src`, `actors`, `db` and `config.toml` are in it. */
export const PROGRAM_FOLDER = dirname(fileURLToPath(new URL('../../package.json', import.meta.url)));

/**
 * Lists the files of a folder, at any depth: absolute paths, in the order of their names.
 *
 * @throws Error with the code ENOENT when there is no such folder
 */
export function listFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/**
 * Reads a text that belongs to the program.
 *
 * @throws Error with the code ENOENT when there is no such file
 */
export function readText(file: string): string {
  return readFileSync(file, 'utf8');
}

/** Reads a text that may belong to the program. */
export function findText(file: string): string | undefined {
  return existsSync(file) ? readText(file) : undefined;
}

/** Imports a module that is known by the path of its file only. */
export async function importFile(file: string): Promise<Readonly<Record<string, unknown>>> {
  return (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
}

/** What a worker thread is made of: the first argument of `new Worker`, and whether it is code rather than a file. */
export interface WorkerSource {
  readonly entry: URL | string;
  readonly isCode: boolean;
}

/** Gives what to start a worker thread with that runs a module of the program. */
export function workerSource(file: string): WorkerSource {
  return { entry: pathToFileURL(file), isCode: false };
}
