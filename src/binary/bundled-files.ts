import { join, relative, sep } from 'node:path';
import type { WorkerSource } from '../kit/program-files.ts';
import type { Host, ProgramContent } from './host.ts';

// Stands in the place of src/kit/program-files.ts in a bundle: the program's files are in the bundle, under a folder that does not exist.

/** A folder that is nowhere, so that paths of the program look as they do elsewhere. */
export const PROGRAM_FOLDER = join(sep, 'troupe');

interface Filled {
  readonly content: ProgramContent;
  readonly host: Host;
}

let filled: Filled | null = null;
let texts: Readonly<Record<string, string>> | null = null;

/** Puts the program's files in, before anything else runs; once on each thread. */
export function fill(content: ProgramContent, host: Host): void {
  filled = { content, host };
}

function get(): Filled {
  if (filled === null) throw new Error('the bundle has not been filled');
  return filled;
}

/** The name of a file in the bundle: its path in the program, with slashes. */
function nameOf(file: string): string {
  return relative(PROGRAM_FOLDER, file).split(sep).join('/');
}

function missing(file: string): Error {
  return Object.assign(new Error(`there is no ${nameOf(file)} in the program`), { code: 'ENOENT' });
}

/** As in src/kit/program-files.ts. */
export function listFiles(folder: string): readonly string[] {
  const { textNames, modules } = get().content;
  const prefix = `${nameOf(folder)}/`;
  const found = [...textNames, ...Object.keys(modules)].filter((name) => name.startsWith(prefix));
  if (found.length === 0) throw missing(folder);
  return found.map((name) => join(PROGRAM_FOLDER, name)).toSorted();
}

/** As in src/kit/program-files.ts. */
export function findText(file: string): string | undefined {
  texts ??= get().host.readTexts();
  return texts[nameOf(file)];
}

/** As in src/kit/program-files.ts. */
export function readText(file: string): string {
  const text = findText(file);
  if (text === undefined) throw missing(file);
  return text;
}

/** As in src/kit/program-files.ts. */
export async function importFile(file: string): Promise<Readonly<Record<string, unknown>>> {
  const load = get().content.modules[nameOf(file)];
  if (load === undefined) throw missing(file);
  return load();
}

/** As in src/kit/program-files.ts. */
export function workerSource(file: string): WorkerSource {
  return { entry: get().host.workerCode(nameOf(file)), isCode: true };
}

/** Loads the native addon of a package: what its own loader is replaced by. */
export function loadAddon(name: string): unknown {
  return get().host.loadAddon(name);
}
