import { homedir } from 'node:os';
import { getAsset, getAssetKeys, getRawAsset } from 'node:sea';
import { isMainThread, getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { zstdDecompressSync } from 'node:zlib';
import { leaveCacheFolder, openCacheFolder, type PackedFile, verifyFile } from './cache-folder.ts';
import { CacheFolderUnusable, cachePlace } from './cache-place.ts';
import { codeCacheName, evaluateBundle } from './evaluate-bundle.ts';
import type { Host } from './host.ts';

/** What the binary knows of the files that it unpacks: the asset `native.json`. */
export interface NativeParts {
  readonly version: string;
  readonly addons: readonly {
    readonly name: string;
    /** The first one is loaded; it loads the others. */
    readonly files: readonly PackedFile[];
  }[];
}

const CACHE_FOLDER = 'troupe.cache-folder';

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function bytes(asset: string): Buffer {
  return Buffer.from(getRawAsset(asset));
}

const unpack = (path: string): Buffer => zstdDecompressSync(bytes(`native/${path}`));

/** Where this process has its files: the main thread opens the folder with the first addon, and the others are told. */
function findFolder({ version, addons }: NativeParts): string {
  const known = getEnvironmentData(CACHE_FOLDER);
  if (typeof known === 'string') return known;
  const folder = openCacheFolder({
    place: cachePlace(process.env, homedir),
    version,
    files: addons.flatMap(({ files }) => files),
    unpack,
    user: process.geteuid?.(),
    processId: process.pid,
    isRunning,
  });
  setEnvironmentData(CACHE_FOLDER, folder);
  if (isMainThread) process.once('exit', () => leaveCacheFolder(folder, process.pid));
  return folder;
}

function loadAddon(name: string): unknown {
  const parts = JSON.parse(getAsset('native.json', 'utf8')) as NativeParts;
  const addon = parts.addons.find((one) => one.name === name);
  if (addon === undefined) throw new Error(`there is no addon ${name} in the program`);
  const folder = findFolder(parts);
  const [path = ''] = addon.files.map((file) => verifyFile(folder, file, unpack, process.pid));
  const module = { exports: {} };
  try {
    process.dlopen(module, path);
  } catch (error) {
    // It is what was packed: so what is wrong is the place, or the machine.
    throw new CacheFolderUnusable(folder, (error as Error).message);
  }
  return module.exports;
}

const host: Host = {
  readTexts: () => JSON.parse(getAsset('texts.json', 'utf8')) as Record<string, string>,
  workerCode: (module) => `${getAsset('binary-main.js', 'utf8')}\nbinary.start(${JSON.stringify(module)});`,
  loadAddon,
};

/** Runs a module of the program on this thread: the main thread's code ends with a call of it, and so does that of every worker. */
export function start(module: string): void {
  // A text of this size stays outside of the engine's heap when it has one byte for each character.
  const text = bytes('program.js').toString('latin1');
  const codeCache = `code-cache/${codeCacheName(module)}`;
  // A thread that the administrator has added has none.
  const known = getAssetKeys().includes(codeCache) ? bytes(codeCache) : undefined;
  const { bundle } = evaluateBundle(text, process.execPath, known);
  bundle.run(module, host);
}
