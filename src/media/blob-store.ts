import { createHash } from 'node:crypto';
import { type FileHandle, access, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Random } from '../kit/random.ts';

/** How much of the beginning of a file is kept for looking at what it is, in bytes: what `file-type` asks for. */
export const HEAD_BYTES_MAX = 4_100;

const ID_LENGTH = 20;
const PREFIX_LENGTH = 2;
const PART = /^[A-Za-z0-9]+\.part$/;
const CLAIM = /^([0-9a-f]{64})\.[A-Za-z0-9]+\.claim$/;

/** The folder that holds all media. @param dataPath `[data] path` */
export function mediaFolder(dataPath: string): string {
  return path.join(dataPath, 'media');
}

/** Where the content with this hash is. @param sha256 hex */
export function blobPath(folder: string, sha256: string): string {
  return path.join(folder, sha256.slice(0, PREFIX_LENGTH), sha256);
}

/** Where the thumbnails of this content are. @param sha256 hex */
export function thumbnailFolder(folder: string, sha256: string): string {
  return `${blobPath(folder, sha256)}.thumbnails`;
}

function temporaryFolder(folder: string): string {
  return path.join(folder, 'temporary');
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** Is there no room, or no right, to write a file? That is not a defect: reads go on. */
export function isStorageFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS'].includes(codeOf(error) ?? '');
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Codes of systems that cannot open or sync a folder. */
const NO_FOLDER_SYNC = new Set(['EISDIR', 'EPERM', 'EACCES', 'EINVAL']);

/** Makes a rename durable. */
async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(folder, 'r');
    await handle.sync();
  } catch (error) {
    if (!NO_FOLDER_SYNC.has(codeOf(error) ?? '')) throw error;
  } finally {
    await handle?.close();
  }
}

/** Content that is in its place on disk, and that no row refers to yet. */
export interface PlacedBlob {
  /** Hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** To be called when a row refers to it. Without it the next start of the server looks whether anything does, and deletes it if not. */
  readonly settle: () => Promise<void>;
}

/** A file that is being written. */
export interface BlobWriter {
  /** Resolves when the bytes have been handed to the system: await it before the next call. */
  write(chunk: Uint8Array): Promise<void>;
  /** The first bytes so far, at most {@link HEAD_BYTES_MAX}. */
  head(): Uint8Array;
  /** Syncs the file and gives it the name of its hash. */
  place(): Promise<PlacedBlob>;
  /** Deletes it; after {@link BlobWriter.place} it does nothing. */
  discard(): Promise<void>;
}

interface Draft {
  readonly folder: string;
  readonly id: string;
  readonly part: string;
  readonly handle: FileHandle;
}

/** Leaves a claim first, so that a crash before the row is found by {@link sweepTemporaryFiles}. */
async function placeDraft(draft: Draft, sha256: string): Promise<string> {
  const { folder, id, part, handle } = draft;
  await handle.sync();
  await handle.close();
  const claim = path.join(temporaryFolder(folder), `${sha256}.${id}.claim`);
  await writeFile(claim, '');
  const target = blobPath(folder, sha256);
  if (await exists(target)) {
    await rm(part);
    return claim;
  }
  await mkdir(path.dirname(target), { recursive: true });
  await rename(part, target);
  await syncFolder(path.dirname(target));
  return claim;
}

/**
 * Begins a file. Its bytes go to a temporary file, which gets the name of its hash when it is whole: the same content twice is one file.
 *
 * @throws Error (rejection) when it cannot be written; see {@link isStorageFull}
 */
export async function createBlobWriter(folder: string, random: Random): Promise<BlobWriter> {
  const id = random.text(ID_LENGTH);
  await mkdir(temporaryFolder(folder), { recursive: true });
  const part = path.join(temporaryFolder(folder), `${id}.part`);
  const handle = await open(part, 'wx');
  const hash = createHash('sha256');
  const head: Uint8Array[] = [];
  let headBytes = 0;
  let sizeBytes = 0;
  let isOpen = true;
  return {
    async write(chunk) {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
      if (headBytes < HEAD_BYTES_MAX) {
        const kept = chunk.slice(0, HEAD_BYTES_MAX - headBytes);
        head.push(kept);
        headBytes += kept.byteLength;
      }
      for (let at = 0; at < chunk.byteLength;) {
        const { bytesWritten } = await handle.write(chunk, at);
        at += bytesWritten;
      }
    },
    head: () => Buffer.concat(head),
    async place() {
      const sha256 = hash.digest('hex');
      const claim = await placeDraft({ folder, id, part, handle }, sha256);
      isOpen = false;
      return {
        sha256,
        sizeBytes,
        settle: () => rm(claim, { force: true }),
      };
    },
    async discard() {
      if (!isOpen) return;
      isOpen = false;
      await handle.close();
      await rm(part, { force: true });
    },
  };
}

/** What a sweep has removed. */
export interface Swept {
  /** Files that were never whole. */
  readonly parts: number;
  /** Whole files that no row refers to. */
  readonly orphans: number;
}

/**
 * Removes what a crash has left: files that were not whole, and whole ones whose row was never written. For the start of the server, before
 * anything is uploaded.
 *
 * @param isUsed does a row refer to this content?
 */
export async function sweepTemporaryFiles(
  folder: string,
  isUsed: (sha256: string) => Promise<boolean>,
): Promise<Swept> {
  const temporary = temporaryFolder(folder);
  await mkdir(temporary, { recursive: true });
  let parts = 0;
  let orphans = 0;
  for (const name of await readdir(temporary)) {
    const sha256 = CLAIM.exec(name)?.[1];
    if (sha256 !== undefined && !(await isUsed(sha256)) && (await exists(blobPath(folder, sha256)))) {
      await rm(blobPath(folder, sha256), { force: true });
      orphans += 1;
    }
    if (PART.test(name)) parts += 1;
    await rm(path.join(temporary, name), { force: true, recursive: true });
  }
  return { parts, orphans };
}

/** Leaves a note that a file may be in nobody's use soon, for the next start to look at; gives its path. */
export async function claimForRemoval(folder: string, sha256: string, random: Random): Promise<string> {
  await mkdir(temporaryFolder(folder), { recursive: true });
  const claim = path.join(temporaryFolder(folder), `${sha256}.${random.text(ID_LENGTH)}.claim`);
  await writeFile(claim, '');
  return claim;
}

/**
 * Removes content that no row refers to, with its thumbnails, unless somebody is just writing the same content.
 *
 * @param claim of {@link claimForRemoval}, which goes as well
 */
export async function removeBlob(folder: string, sha256: string, claim: string): Promise<void> {
  const file = blobPath(folder, sha256);
  const aside = `${claim}.part`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await rm(claim, { force: true });
    return;
  }
  // A writer claims first and looks for the file then: either it is seen here, or it finds no file and brings its own.
  const names = await readdir(temporaryFolder(folder));
  const isClaimed = names.some((name) => CLAIM.exec(name)?.[1] === sha256 && name !== path.basename(claim));
  if (isClaimed) await rename(aside, file);
  else {
    await rm(aside, { force: true });
    await rm(thumbnailFolder(folder, sha256), { recursive: true, force: true });
  }
  await rm(claim, { force: true });
}
