import { readdir } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import path from 'node:path';
import type { Endpoint } from './endpoint.ts';

/** Where the endpoints are: `src/http`. */
export const ENDPOINTS_FOLDER = fileURLToPath(new URL('../', import.meta.url));

/** An endpoint and the file that it came from. */
export interface LoadedEndpoint {
  readonly file: string;
  readonly endpoint: Endpoint;
}

function isEndpoint(value: unknown): value is Endpoint {
  const fields = value as Partial<Record<keyof Endpoint, unknown>> | null | undefined;
  return (
    typeof fields === 'object' &&
    fields !== null &&
    typeof fields.method === 'string' &&
    typeof fields.path === 'string' &&
    typeof fields.handle === 'function'
  );
}

async function importEndpoint(file: string): Promise<LoadedEndpoint | null> {
  const loaded = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  const value = loaded['endpoint'];
  if (value === undefined) return null;
  if (!isEndpoint(value)) throw new Error(`${file}: "endpoint" is not made by defineEndpoint`);
  return { file, endpoint: value };
}

/**
 * Loads every endpoint under a folder: each `.ts` file, at any depth, that exports `endpoint`. The kit itself is left out.
 *
 * @param folder an absolute path
 * @returns the endpoints in the order of their files' names
 * @throws Error when a file's `endpoint` is not one, and when there is none at all
 */
export async function loadEndpoints(folder: string = ENDPOINTS_FOLDER): Promise<readonly LoadedEndpoint[]> {
  const kit = path.join(folder, 'kit') + path.sep;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(kit))
    .toSorted();
  const loaded = await Promise.all(files.map((file) => importEndpoint(file)));
  const endpoints = loaded.filter((endpoint) => endpoint !== null);
  if (endpoints.length === 0) throw new Error(`no endpoint under ${folder}`);
  return endpoints;
}
