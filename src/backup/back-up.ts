import { createWriteStream, existsSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { readAllSigningKeys, readServerName } from '../../db/identity/identity.ts';
import { findDamage, isDamage } from '../../db/kit/integrity.ts';
import { compareSchema } from '../../db/kit/migrator.ts';
import { copyDatabase } from '../../db/kit/online-copy.ts';
import { databasePath } from '../../db/kit/sqlite.ts';
import { type MediaContent, readContents, readSizeOfContents } from '../../db/media/content-reader.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { blobPath, mediaFolder } from '../media/blob-store.ts';
import { type ArchiveWriter, compressionOf, createArchiveWriter } from './archive-writer.ts';
import { codeOf, hashFile, syncPath } from './durable-files.ts';
import { requireSpace } from './free-space.ts';
import {
  BACKUP_FORMAT,
  type BackupManifest,
  type BackupSummary,
  type ListedMedia,
  MEMBERS,
  type MediaFigures,
} from './manifest.ts';
import { openForCommand } from './open-database.ts';
import type { OnProgress } from './progress.ts';
import { readBackup } from './read-backup.ts';

const FILE_MODE = 0o600;
/** How much smaller compression makes a database at least; media are compressed already. */
const COMPRESSED_TO = 0.5;
/** Room for the list of media and the like. */
const SPARE_BYTES = 16 * 1024 * 1024;

/** A backup cannot be made; the message is for people. */
export class BackupRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BackupRefused';
  }
}

function refuseDamaged(damage: string): BackupRefused {
  return new BackupRefused(
    `the database is damaged, so that no backup was made (${damage}). ` +
      'Keep the backups that you have; "troupe verify --full" says more.',
  );
}

/** What is backed up, and where to. */
export interface BackUpOptions {
  readonly dataFolder: string;
  /** The file; or a stream, which stays open: what has gone into it cannot be read again to check it. */
  readonly to: { readonly file: string } | { readonly stream: Writable };
  /** False: only the list of media. */
  readonly withMedia: boolean;
  /** A file to include; it holds secrets. */
  readonly configFile: string | null;
  readonly programVersion: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** A backup that was made. */
export interface MadeBackup {
  readonly manifest: BackupManifest;
  readonly summary: BackupSummary;
  /** Null for a stream. */
  readonly sizeBytes: number | null;
}

/** The temporary files of one backup. */
interface Places {
  /** Null for a stream. */
  readonly partial: string | null;
  readonly snapshot: string;
  readonly mediaList: string;
}

/** Beside the file, where there has to be room anyway; for a stream in the data folder, named after the process. */
function placesOf({ to, dataFolder }: BackUpOptions): Places {
  if ('file' in to) {
    const partial = `${to.file}.partial`;
    return { partial, snapshot: `${partial}.db`, mediaList: `${partial}.media` };
  }
  const base = path.join(dataFolder, `backup-${process.pid}.partial`);
  return { partial: null, snapshot: `${base}.db`, mediaList: `${base}.media` };
}

async function removeAll({ partial, snapshot, mediaList }: Places): Promise<void> {
  const files = [snapshot, `${snapshot}-wal`, `${snapshot}-shm`, `${snapshot}-journal`, mediaList];
  for (const file of partial === null ? files : [partial, ...files]) await rm(file, { force: true });
}

/** What backups into streams have left when they were killed. */
async function removeLeftovers(dataFolder: string): Promise<void> {
  for (const name of await readdir(dataFolder)) {
    const pid = /^backup-(\d+)\.partial\./.exec(name)?.[1];
    if (pid === undefined) continue;
    try {
      process.kill(Number(pid), 0);
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') continue;
      await rm(path.join(dataFolder, name), { force: true });
    }
  }
}

async function requireRoom(options: BackUpOptions, databaseBytes: number): Promise<void> {
  const { to, dataFolder, clock, log, withMedia } = options;
  const folder = 'file' in to ? path.dirname(path.resolve(to.file)) : dataFolder;
  if (!existsSync(folder)) throw new BackupRefused(`there is no folder ${folder}`);
  const db = openForCommand(databasePath(dataFolder), { clock, log });
  try {
    const { bytes } = await readSizeOfContents(db);
    const isCompressed = 'file' in to && compressionOf(to.file) !== 'none';
    const packed = databaseBytes * (isCompressed ? COMPRESSED_TO : 1) + (withMedia ? bytes : 0);
    await requireSpace(folder, databaseBytes + SPARE_BYTES + ('file' in to ? packed : 0));
  } finally {
    db.close();
  }
}

async function takeSnapshot(options: BackUpOptions, snapshot: string): Promise<BackupManifest['database']> {
  const { dataFolder, onProgress, signal } = options;
  await copyDatabase(databasePath(dataFolder), snapshot, {
    onProgress: ({ doneBytes, totalBytes }) =>
      onProgress?.({ what: 'copying the database', doneBytes, totalBytes }),
    ...(signal !== undefined && { signal }),
  });
  const [damage] = findDamage(snapshot, false);
  if (damage !== undefined) throw refuseDamaged(damage);
  const { size } = await stat(snapshot);
  return { sizeBytes: size, sha256: await hashFile(snapshot, signal === undefined ? {} : { signal }) };
}

async function describe(
  options: BackUpOptions,
  db: ReadDb,
  snapshot: {
    readonly path: string;
    readonly database: BackupManifest['database'];
    readonly createdTs: number;
  },
): Promise<BackupManifest> {
  const identity = await db.find(readServerName, {});
  if (identity === undefined)
    throw new BackupRefused('the database has no server in it yet: start the server once');
  const keys = await db.all(readAllSigningKeys, {});
  return {
    format: BACKUP_FORMAT,
    serverName: identity.serverName,
    programVersion: options.programVersion,
    createdTs: snapshot.createdTs,
    schema: compareSchema(snapshot.path).applied,
    database: snapshot.database,
    signingKeys: keys.map(({ keyId }) => keyId),
    media: options.withMedia ? 'included' : 'listed',
    hasConfig: options.configFile !== null,
  };
}

/** Opens a file as it is listed; null when it is gone, or not of its size: it is noted, not fatal. */
async function openBlob(file: string, sizeBytes: number): Promise<FileHandle | null> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
  if ((await handle.stat()).size === sizeBytes) return handle;
  await handle.close();
  return null;
}

async function addBlob(
  options: BackUpOptions,
  archive: ArchiveWriter,
  { sha256, sizeBytes }: MediaContent,
  onBytes: (bytes: number) => void,
): Promise<ListedMedia['state']> {
  if (!options.withMedia) return 'left-out';
  const folder = mediaFolder(options.dataFolder);
  const handle = await openBlob(blobPath(folder, sha256), sizeBytes);
  if (handle === null) return 'missing';
  const name = path.posix.join(MEMBERS.mediaFolder, path.relative(folder, blobPath(folder, sha256)));
  const really = await archive.addFile(name, { handle, sizeBytes }, onBytes);
  return really === sha256 ? 'included' : 'damaged';
}

/** Adds the files and then their list, which is written beside the archive meanwhile. */
async function addMedia(
  options: BackUpOptions,
  db: ReadDb,
  archive: ArchiveWriter,
  mediaList: string,
): Promise<{ readonly figures: MediaFigures; readonly sha256: string }> {
  const { bytes: totalBytes } = await readSizeOfContents(db);
  const figures = { included: 0, includedBytes: 0, leftOut: 0, missing: 0, damaged: 0 };
  const list = createWriteStream(mediaList, { mode: FILE_MODE });
  let doneBytes = 0;
  const onBytes = (bytes: number): void => {
    doneBytes += bytes;
    options.onProgress?.({ what: 'packing media', doneBytes, totalBytes });
  };
  try {
    for await (const content of readContents(db)) {
      options.signal?.throwIfAborted();
      const state = await addBlob(options, archive, content, onBytes);
      if (state === 'left-out') figures.leftOut += 1;
      else figures[state] += 1;
      if (state === 'included' || state === 'damaged') figures.includedBytes += content.sizeBytes;
      const listed: ListedMedia = { sha256: content.sha256, sizeBytes: content.sizeBytes, state };
      if (!list.write(`${JSON.stringify(listed)}\n`))
        await new Promise<void>((resolve) => void list.write('', () => resolve()));
    }
  } finally {
    list.end();
    await finished(list);
  }
  const { size } = await stat(mediaList);
  const handle = await open(mediaList, 'r');
  return { figures, sha256: await archive.addFile(MEMBERS.mediaList, { handle, sizeBytes: size }) };
}

async function pack(
  options: BackUpOptions,
  to: Writable,
  places: Places,
  createdTs: number,
): Promise<Omit<MadeBackup, 'sizeBytes'>> {
  const { clock, log, configFile, onProgress } = options;
  const database = await takeSnapshot(options, places.snapshot);
  const db = openForCommand(places.snapshot, { clock, log });
  const compression = 'file' in options.to ? compressionOf(options.to.file) : 'none';
  const endsStream = 'file' in options.to;
  const archive = createArchiveWriter(to, { compression, now: createdTs, endsStream });
  try {
    const manifest = await describe(options, db, { path: places.snapshot, database, createdTs });
    await archive.addText(MEMBERS.manifest, `${JSON.stringify(manifest, null, 2)}\n`);
    const totalBytes = database.sizeBytes;
    let doneBytes = 0;
    const handle = await open(places.snapshot, 'r');
    await archive.addFile(MEMBERS.database, { handle, sizeBytes: totalBytes }, (bytes) => {
      doneBytes += bytes;
      options.signal?.throwIfAborted();
      onProgress?.({ what: 'packing the database', doneBytes, totalBytes });
    });
    let configSha256: string | null = null;
    if (configFile !== null) {
      const config = await open(configFile, 'r');
      const { size } = await config.stat();
      configSha256 = await archive.addFile(MEMBERS.config, { handle: config, sizeBytes: size });
    }
    const { figures, sha256 } = await addMedia(options, db, archive, places.mediaList);
    const summary: BackupSummary = { media: figures, mediaListSha256: sha256, configSha256 };
    await archive.addText(MEMBERS.summary, `${JSON.stringify(summary, null, 2)}\n`);
    await archive.finish();
    return { manifest, summary };
  } catch (error) {
    archive.abort(error as Error);
    throw error;
  } finally {
    db.close();
  }
}

/** Reads the archive again, from the disk, and gives it its name only when it is whole. */
async function checkAndName(options: BackUpOptions, partial: string, file: string): Promise<number> {
  const { size: totalBytes } = await stat(partial);
  let doneBytes = 0;
  await readBackup(partial, {
    into: null,
    onBytes(bytes) {
      doneBytes += bytes;
      options.onProgress?.({ what: 'checking', doneBytes, totalBytes });
    },
    ...(options.signal !== undefined && { signal: options.signal }),
  });
  await rename(partial, file);
  await syncPath(path.dirname(path.resolve(file)));
  return totalBytes;
}

/**
 * Makes a backup of a server that may be running: a tar archive of a snapshot of the database, which holds the signing keys, and of the media that the
 * snapshot names. Nothing acknowledged before the call is missing. The file has its name only when it is whole, synced, and was read again; one that
 * was there is replaced then.
 *
 * @throws BackupRefused, NotEnoughSpace, MigrationRefused; an error with a `code` when something cannot be read or written; the signal's reason.
 *   What was half done is removed.
 */
export async function backUp(options: BackUpOptions): Promise<MadeBackup> {
  try {
    return await backUpInto(options);
  } catch (error) {
    throw isDamage(error) ? refuseDamaged((error as Error).message) : error;
  }
}

async function backUpInto(options: BackUpOptions): Promise<MadeBackup> {
  const { dataFolder, to, clock } = options;
  const database = databasePath(dataFolder);
  if (!existsSync(database))
    throw new BackupRefused(`there is no database in ${path.resolve(dataFolder)}: is it the right folder?`);
  const { size } = await stat(database);
  await removeLeftovers(dataFolder);
  await requireRoom(options, size);
  const places = placesOf(options);
  await removeAll(places);
  try {
    const createdTs = clock.now();
    if ('stream' in to) return { ...(await pack(options, to.stream, places, createdTs)), sizeBytes: null };
    const partial = `${to.file}.partial`;
    const made = await pack(
      options,
      createWriteStream(partial, { mode: FILE_MODE, flush: true }),
      places,
      createdTs,
    );
    return { ...made, sizeBytes: await checkAndName(options, partial, to.file) };
  } finally {
    await removeAll(places);
  }
}
