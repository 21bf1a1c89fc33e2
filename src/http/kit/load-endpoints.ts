import path from 'node:path';
import { importFile, listFiles, PROGRAM_FOLDER } from '../../kit/program-files.ts';
import type { Endpoint } from './endpoint.ts';

/** Where the endpoints are: `src/http`. */
export const ENDPOINTS_FOLDER = path.join(PROGRAM_FOLDER, 'src', 'http');

/** The kit holds none, and `control` is for the socket in the data folder alone. */
const APART: readonly string[] = ['kit', 'control'];

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
  const value = (await importFile(file))['endpoint'];
  if (value === undefined) return null;
  if (!isEndpoint(value)) throw new Error(`${file}: "endpoint" is not made by defineEndpoint`);
  return { file, endpoint: value };
}

/**
 * Loads every endpoint under a folder: each `.ts` file, at any depth, that exports `endpoint`. The kit itself and `control` are left out.
 *
 * @param folder an absolute path
 * @returns the endpoints in the order of their files' names
 * @throws Error when a file's `endpoint` is not one, and when there is none at all
 */
export async function loadEndpoints(folder: string = ENDPOINTS_FOLDER): Promise<readonly LoadedEndpoint[]> {
  const apart = APART.map((name) => path.join(folder, name) + path.sep);
  const files = listFiles(folder).filter(
    (file) => file.endsWith('.ts') && !apart.some((prefix) => file.startsWith(prefix)),
  );
  const loaded = await Promise.all(files.map((file) => importEndpoint(file)));
  const endpoints = loaded.filter((endpoint) => endpoint !== null);
  if (endpoints.length === 0) throw new Error(`no endpoint under ${folder}`);
  return endpoints;
}
