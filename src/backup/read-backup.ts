import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { type ArchiveMember, readArchive } from './archive-reader.ts';
import {
  ArchiveRefused,
  BACKUP_FORMAT,
  type BackupManifest,
  type BackupSummary,
  MEMBERS,
  parseListedMedia,
  parseManifest,
  parseSummary,
  TEXT_MEMBER_BYTES_MAX,
} from './manifest.ts';

const MEDIA_MEMBER = /^media\/([0-9a-f]{2})\/([0-9a-f]{64})$/;
const FILE_MODE = 0o600;
/** Media that are not what their names say, as far as they are remembered until their list comes. */
const DAMAGED_MAX = 100_000;

/** How a backup is read. */
export interface ReadBackupOptions {
  /** A folder to unpack into; null: it is only looked through. */
  readonly into: string | null;
  /** Told of the first member before anything is unpacked; what it throws ends the reading. */
  readonly onManifest?: (manifest: BackupManifest) => Promise<void> | void;
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** What was in a whole backup. */
export interface ReadBackup {
  readonly manifest: BackupManifest;
  readonly summary: BackupSummary;
}

/** What was found out so far. */
interface Found {
  manifest: BackupManifest | null;
  summary: BackupSummary | null;
  databaseSha256: string | null;
  configSha256: string | null;
  mediaListSha256: string | null;
  mediaFiles: number;
  mediaBytes: number;
  readonly damaged: Set<string>;
}

async function readText(file: string, member: ArchiveMember): Promise<string> {
  if (member.sizeBytes > TEXT_MEMBER_BYTES_MAX)
    throw new ArchiveRefused(file, `its member ${member.name} is too large`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of member.bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Reads a member to its end, into a file where one is named. Gives its hash, hex SHA-256. */
async function takeBytes(member: ArchiveMember, to: string | null, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const handle = to === null ? null : await open(to, 'wx', FILE_MODE);
  try {
    for await (const chunk of member.bytes) {
      signal?.throwIfAborted();
      hash.update(chunk);
      await handle?.write(chunk);
    }
    await handle?.sync();
  } finally {
    await handle?.close();
  }
  return hash.digest('hex');
}

/** What is listed as damaged is known; the list is read line by line. */
async function takeMediaList(member: ArchiveMember, found: Found): Promise<string> {
  const hash = createHash('sha256');
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of member.bytes) {
      hash.update(chunk);
      yield chunk;
    }
  }
  for await (const line of createInterface({ input: Readable.from(hashed()), crlfDelay: Infinity })) {
    const listed = parseListedMedia(line);
    if (listed?.state === 'damaged') found.damaged.delete(listed.sha256);
  }
  return hash.digest('hex');
}

async function takeMedia(
  member: ArchiveMember,
  sha256: string,
  found: Found,
  { into, signal }: ReadBackupOptions,
): Promise<void> {
  const to = into === null ? null : path.join(into, member.name);
  if (to !== null) await mkdir(path.dirname(to), { recursive: true });
  const really = await takeBytes(member, to, signal);
  found.mediaFiles += 1;
  found.mediaBytes += member.sizeBytes;
  if (really === sha256) return;
  if (found.damaged.size < DAMAGED_MAX) found.damaged.add(sha256);
  if (to !== null) await rm(to);
}

async function takeManifest(
  file: string,
  member: ArchiveMember,
  { onManifest }: ReadBackupOptions,
): Promise<BackupManifest> {
  const manifest = member.name === MEMBERS.manifest ? parseManifest(await readText(file, member)) : undefined;
  if (manifest === undefined) throw new ArchiveRefused(file, 'it is no backup of Troupe');
  if (manifest.format > BACKUP_FORMAT)
    throw new ArchiveRefused(
      file,
      `it was made by a newer version (${manifest.programVersion}). Restore it with that version.`,
    );
  await onManifest?.(manifest);
  return manifest;
}

async function takeMember(
  file: string,
  member: ArchiveMember,
  found: Found,
  options: ReadBackupOptions,
): Promise<void> {
  const { into, signal } = options;
  const { name } = member;
  const [, prefix, sha256 = ''] = MEDIA_MEMBER.exec(name) ?? [];
  if (found.manifest === null) found.manifest = await takeManifest(file, member, options);
  else if (name === MEMBERS.database && found.databaseSha256 === null)
    found.databaseSha256 = await takeBytes(member, into === null ? null : path.join(into, name), signal);
  else if (name === MEMBERS.config && found.configSha256 === null)
    found.configSha256 = await takeBytes(member, into === null ? null : path.join(into, name), signal);
  else if (name === MEMBERS.mediaList) found.mediaListSha256 = await takeMediaList(member, found);
  else if (name === MEMBERS.summary) found.summary = parseSummary(await readText(file, member)) ?? null;
  else if (prefix !== undefined && sha256.startsWith(prefix)) await takeMedia(member, sha256, found, options);
  else throw new ArchiveRefused(file, `it has a member "${name}" that no backup of Troupe has`);
}

/** What does not fit together, or undefined. */
function findContradiction(found: Found): string | undefined {
  const { manifest, summary } = found;
  if (manifest === null) return 'it is empty';
  if (summary === null) return 'it is cut short: its end is missing';
  if (found.databaseSha256 !== manifest.database.sha256)
    return 'the database in it is not the one that was put into it';
  if (found.mediaListSha256 !== summary.mediaListSha256)
    return 'the list of media in it is not the one that was put into it';
  if (found.configSha256 !== summary.configSha256)
    return 'the configuration in it is not the one that was put into it';
  const [damaged] = found.damaged;
  if (damaged !== undefined) return `the media file ${damaged} in it is damaged`;
  const { included, damaged: knownDamaged, includedBytes } = summary.media;
  if (found.mediaFiles !== included + knownDamaged || found.mediaBytes !== includedBytes)
    return `${found.mediaFiles} media files are in it, and ${included + knownDamaged} should be`;
  return undefined;
}

/**
 * Reads a backup from its beginning to its end: every member is one of ours, every byte is hashed, and all that was put into it is there.
 * Files that are unpacked are synced; those of media that were damaged before the backup are left out.
 *
 * @throws ArchiveRefused; an error with a `code` when a file cannot be read or written; the signal's reason
 */
export async function readBackup(file: string, options: ReadBackupOptions): Promise<ReadBackup> {
  const found: Found = {
    manifest: null,
    summary: null,
    databaseSha256: null,
    configSha256: null,
    mediaListSha256: null,
    mediaFiles: 0,
    mediaBytes: 0,
    damaged: new Set(),
  };
  for await (const member of readArchive(file, options.onBytes)) {
    options.signal?.throwIfAborted();
    await takeMember(file, member, found, options);
  }
  const contradiction = findContradiction(found);
  if (contradiction !== undefined)
    throw new ArchiveRefused(file, `${contradiction}. The file is damaged: take another one.`);
  const { manifest, summary } = found;
  if (manifest === null || summary === null) throw new Error('a whole backup has both');
  return { manifest, summary };
}
