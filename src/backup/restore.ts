import { constants, existsSync } from 'node:fs';
import { copyFile, link, mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { readServerName } from '../../db/identity/identity.ts';
import { lockFolder } from '../../db/kit/folder-lock.ts';
import { findDamage } from '../../db/kit/integrity.ts';
import { DATABASE_FILE } from '../../db/kit/sqlite.ts';
import { readContents } from '../../db/media/content-reader.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { blobPath, mediaFolder } from '../media/blob-store.ts';
import { codeOf, syncPath } from './durable-files.ts';
import { requireSpace } from './free-space.ts';
import { ArchiveRefused, type BackupManifest, MEMBERS } from './manifest.ts';
import { openForCommand } from './open-database.ts';
import { isInUse, isUnfinished, placeRestored } from './place-restored.ts';
import { prepareRestored } from './prepare-restored.ts';
import type { OnProgress } from './progress.ts';
import { type ReadBackup, readBackup } from './read-backup.ts';

const UNPACK_FOLDER = 'restoring';
const FOLDER_MODE = 0o700;
/** Where the configuration of a backup goes: it is not put into use. */
const CONFIG_FROM_BACKUP = 'config-from-backup.toml';
/** A database grows a little when it is prepared. */
const GROWTH = 1.2;

/** A backup cannot be restored here; the message says why and what to do. */
export class RestoreRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RestoreRefused';
  }
}

/** What is restored, and where to. */
export interface RestoreOptions {
  readonly file: string;
  readonly dataFolder: string;
  /** Of the configuration. */
  readonly serverName: string;
  /** A server that is there is moved aside. */
  readonly isForced: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** What was restored. */
export interface Restored extends ReadBackup {
  /** Where what was there before is now; null when nothing was. */
  readonly aside: string | null;
  /** Where the configuration of the backup is; null when it had none. */
  readonly configFile: string | null;
  /** Media that the database knows and that are not there. */
  readonly mediaMissing: number;
}

async function admit(options: RestoreOptions, manifest: BackupManifest): Promise<void> {
  const { file, dataFolder, serverName } = options;
  if (manifest.serverName !== serverName)
    throw new RestoreRefused(
      `${file} is a backup of the server "${manifest.serverName}", and the configuration says server.name = "${serverName}". ` +
        'Name the configuration of that server with --config.',
    );
  const { size } = await stat(file);
  const media = manifest.media === 'included' ? size : 0;
  await requireSpace(dataFolder, manifest.database.sizeBytes * GROWTH + media);
}

async function unpack(options: RestoreOptions, into: string): Promise<ReadBackup> {
  const { file, onProgress, signal, clock, log } = options;
  const { size: totalBytes } = await stat(file);
  let doneBytes = 0;
  await rm(into, { recursive: true, force: true });
  await mkdir(into, { mode: FOLDER_MODE });
  const backup = await readBackup(file, {
    into,
    onManifest: (manifest) => admit(options, manifest),
    onBytes(bytes) {
      doneBytes += bytes;
      onProgress?.({ what: 'unpacking', doneBytes, totalBytes });
    },
    ...(signal !== undefined && { signal }),
  });
  const database = path.join(into, MEMBERS.database);
  const [damage] = findDamage(database, false);
  if (damage !== undefined)
    throw new ArchiveRefused(file, `the database in it is damaged (${damage}). Take another one.`);
  const db = openForCommand(database, { clock, log });
  try {
    const own = await db.find(readServerName, {});
    if (own?.serverName !== backup.manifest.serverName)
      throw new ArchiveRefused(file, 'the database in it is of another server');
  } finally {
    db.close();
  }
  return backup;
}

/** One file under two names where that can be, for nobody ever changes it; otherwise a copy. */
async function linkOrCopy(from: string, to: string): Promise<boolean> {
  try {
    await mkdir(path.dirname(to), { recursive: true });
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return true;
  }
}

/** Finds the files of all media that the database knows; what the backup did not bring is taken from what was here before. */
async function gatherMedia(options: RestoreOptions, unpacked: string): Promise<number> {
  const { dataFolder, clock, log } = options;
  const db = openForCommand(path.join(unpacked, DATABASE_FILE), { clock, log });
  let missing = 0;
  try {
    for await (const { sha256 } of readContents(db)) {
      const to = blobPath(mediaFolder(unpacked), sha256);
      if (existsSync(to)) continue;
      const isThere = await linkOrCopy(blobPath(mediaFolder(dataFolder), sha256), to);
      if (!isThere) missing += 1;
    }
  } finally {
    db.close();
  }
  return missing;
}

/** The moment as part of a name: `20261123-120000`. */
function stampOf(now: number): string {
  return new Date(now)
    .toISOString()
    .replaceAll(/[-:]|\.\d+Z$/g, '')
    .replace('T', '-');
}

async function restoreLocked(options: RestoreOptions): Promise<Restored> {
  const { dataFolder, clock, log, onProgress } = options;
  const unpacked = path.join(dataFolder, UNPACK_FOLDER);
  try {
    const backup = await unpack(options, unpacked);
    onProgress?.({ what: 'preparing the database', doneBytes: 0, totalBytes: 0 });
    await prepareRestored(path.join(unpacked, DATABASE_FILE), {
      createdTs: backup.manifest.createdTs,
      clock,
      log,
    });
    await syncPath(path.join(unpacked, DATABASE_FILE));
    const mediaMissing = await gatherMedia(options, unpacked);
    const config = path.join(unpacked, MEMBERS.config);
    const configFile = backup.manifest.hasConfig ? path.join(dataFolder, CONFIG_FROM_BACKUP) : null;
    if (configFile !== null) await rename(config, configFile);
    await syncPath(unpacked);
    const aside = await placeRestored(dataFolder, unpacked, `before-restore-${stampOf(clock.now())}`);
    return { ...backup, aside, configFile, mediaMissing };
  } finally {
    // Once the moving has begun it is needed by who finishes it.
    if (!isUnfinished(dataFolder)) await rm(unpacked, { recursive: true, force: true });
  }
}

/**
 * Puts a backup into a data folder. It is unpacked beside what is there, looked through, made fit to go on (`prepareRestored`), and then
 * takes its place: whatever fails before that changes nothing.
 *
 * @throws RestoreRefused, ArchiveRefused, NotEnoughSpace, FolderInUse, MigrationRefused; an error with a `code` when a file cannot be read or
 *   written; the signal's reason
 */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { file, dataFolder, isForced } = options;
  if (!existsSync(file)) throw new RestoreRefused(`there is no file ${file}`);
  const lock = lockFolder(dataFolder, true);
  try {
    if (isInUse(dataFolder) && !isForced && !isUnfinished(dataFolder))
      throw new RestoreRefused(
        `there is a server in ${path.resolve(dataFolder)} already. With --force it is moved into a folder of its own ` +
          'there, not deleted; or restore into another folder with --data.',
      );
    return await restoreLocked(options);
  } finally {
    lock.release();
  }
}
