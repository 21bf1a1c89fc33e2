import { hash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CacheFolderUnusable, checkOwner } from './cache-place.ts';

/** A file that the program has to unpack. */
export interface PackedFile {
  /** Where it is put in the folder, with slashes. */
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256, in hex. */
  readonly hash: string;
}

/** Where the files come from, and who unpacks them. */
export interface CacheFolderOptions {
  /** Holds a folder for each version of the program. */
  readonly place: string;
  /** Of this version: its number, and 16 hexadecimal digits that change with the content of the files. */
  readonly version: string;
  readonly files: readonly PackedFile[];
  /** Gives the content of a file. */
  readonly unpack: (path: string) => Buffer;
  readonly user: number | undefined;
  readonly processId: number;
  /** Whether a process of this machine still runs. */
  readonly isRunning: (processId: number) => boolean;
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** What the folder of a version is called: anything else in that place is not ours. */
const VERSION = /^\d[\w.+-]*-[0-9a-f]{16}$/;
const MARK = /^used-by-(\d+)$/;
const PARTIAL = /\.(\d+)-[0-9a-f]+\.partial$/;

/** What the system says when a place cannot be written to, for people. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'that disk is read-only',
  ENOSPC: 'that disk is full',
  EDQUOT: 'the quota of this user is used up',
  ENOTDIR: 'something on the way there is not a folder',
  EEXIST: 'something on the way there is not a folder',
};

function explain(folder: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof CacheFolderUnusable || code === undefined) return error as Error;
  return new CacheFolderUnusable(folder, REASONS[code] ?? message, code);
}

function sizeOf(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.size ?? null;
}

/** Writes beside, and puts it in place at once: whoever looks, and whoever writes the same at this moment, finds a whole file. */
function write(file: string, content: Buffer, processId: number): void {
  const partial = `${file}.${processId}-${randomBytes(4).toString('hex')}.partial`;
  mkdirSync(dirname(file), { recursive: true, mode: FOLDER_MODE });
  try {
    const descriptor = openSync(partial, 'wx', FILE_MODE);
    try {
      writeFileSync(descriptor, content);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Another process has just removed it.
    return [];
  }
}

/** Removes what processes have left that ended in the middle: marks, and files that were not finished. */
function sweep(folder: string, isRunning: (processId: number) => boolean): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const processId = (MARK.exec(name) ?? PARTIAL.exec(name))?.[1];
    if (processId !== undefined && !isRunning(Number(processId))) rmSync(join(folder, name), { force: true });
  }
}

/** Removes the folders of other versions that no running process has marked. */
function removeOthers({ place, version, isRunning }: CacheFolderOptions): void {
  for (const name of names(place)) {
    if (name === version || !VERSION.test(name)) continue;
    const users = names(join(place, name)).map((mark) => MARK.exec(mark)?.[1]);
    if (!users.some((user) => user !== undefined && isRunning(Number(user))))
      rmSync(join(place, name), { recursive: true, force: true });
  }
}

/**
 * Opens the folder of this version: makes it when there is none, unpacks what is missing or has another size, marks it as used by this process,
 * and removes what earlier versions have left. A folder on a read-only disk that has everything is fine.
 *
 * @returns the folder
 * @throws CacheFolderUnusable when it cannot be written to, or others can write to it
 */
export function openCacheFolder(options: CacheFolderOptions): string {
  const { place, version, files, unpack, user, processId, isRunning } = options;
  const folder = join(place, version);
  try {
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    checkOwner(folder, user);
    const mark = join(folder, `used-by-${processId}`);
    const missing = files.filter(({ path, sizeBytes }) => sizeOf(join(folder, path)) !== sizeBytes);
    try {
      writeFileSync(mark, '', { mode: FILE_MODE });
      sweep(folder, isRunning);
      removeOthers(options);
    } catch (error) {
      if (missing.length > 0) throw error;
    }
    for (const { path } of missing) write(join(folder, path), unpack(path), processId);
    return folder;
  } catch (error) {
    throw explain(place, error);
  }
}

/** Takes the mark of this process away, at its end. */
export function leaveCacheFolder(folder: string, processId: number): void {
  try {
    unlinkSync(join(folder, `used-by-${processId}`));
  } catch {
    // It goes with the next start then.
  }
}

function isWhole(file: string, expected: PackedFile): boolean {
  try {
    return hash('sha256', readFileSync(file)) === expected.hash;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Makes sure that a file is what was packed, just before it is loaded; one that is damaged or was removed is unpacked again.
 *
 * @throws CacheFolderUnusable when that is necessary and cannot be done
 */
export function verifyFile(
  folder: string,
  file: PackedFile,
  unpack: (path: string) => Buffer,
  processId: number,
): string {
  const path = join(folder, file.path);
  try {
    if (!isWhole(path, file)) write(path, unpack(file.path), processId);
    return path;
  } catch (error) {
    throw explain(dirname(folder), error);
  }
}
