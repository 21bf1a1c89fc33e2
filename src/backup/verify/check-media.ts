import { opendir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { type MediaContent, readContents } from '../../../db/media/content-reader.ts';
import { isContentUsed } from '../../../db/media/reader.ts';
import { blobPath } from '../../media/blob-store.ts';
import { codeOf, hashFile } from '../durable-files.ts';
import { formatBytes } from '../progress.ts';
import { type CheckResult, createFindings } from './finding.ts';

const PREFIX = /^[0-9a-f]{2}$/;
const BLOB = /^[0-9a-f]{64}$/;
/** A file is in its place before its row is written: one that is younger may have its row yet to come. */
const YOUNG_MS = 60 * 60 * 1_000;
const MISSING_TODO =
  'copy it from a backup ("tar xf BACKUP media/…") into the media folder, or let its owner upload it again';

async function faultOf(
  folder: string,
  { sha256, sizeBytes }: MediaContent,
  isFull: boolean,
): Promise<string | undefined> {
  const file = blobPath(folder, sha256);
  try {
    const { size } = await stat(file);
    if (size !== sizeBytes) return `${file} has ${size} bytes and should have ${sizeBytes}`;
    if (isFull && (await hashFile(file)) !== sha256) return `${file} is not what its name says`;
    return undefined;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return `${file} is not there`;
  }
}

/** The names in a folder one by one; none where there is no folder. */
async function* namesIn(folder: string): AsyncGenerator<string> {
  try {
    for await (const { name } of await opendir(folder)) yield name;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Files that no row names. They take room and do no harm. */
async function countOrphans(
  db: ReadDb,
  folder: string,
  now: number,
): Promise<{ readonly files: number; readonly bytes: number; readonly example: string }> {
  let [files, bytes, example] = [0, 0, ''];
  for await (const prefix of namesIn(folder)) {
    if (!PREFIX.test(prefix)) continue;
    for await (const name of namesIn(path.join(folder, prefix))) {
      if (!BLOB.test(name) || (await isContentUsed(db, name))) continue;
      const file = path.join(folder, prefix, name);
      const { size, mtimeMs } = await stat(file);
      if (now - mtimeMs < YOUNG_MS) continue;
      files += 1;
      bytes += size;
      example = file;
    }
  }
  return { files, bytes, example };
}

/**
 * Every content that rows name is there, of its size and, when `isFull`, with its hash.
 *
 * @param now milliseconds since the Unix epoch
 */
export async function checkMedia(
  db: ReadDb,
  folder: string,
  options: { readonly isFull: boolean; readonly now: number },
): Promise<CheckResult> {
  const findings = createFindings();
  let [files, bytes] = [0, 0];
  for await (const content of readContents(db)) {
    files += 1;
    bytes += content.sizeBytes;
    const what = await faultOf(folder, content, options.isFull);
    // It may have been deleted since its row was read.
    if (what !== undefined && (await isContentUsed(db, content.sha256)))
      findings.add({ what: `the media file ${what}`, todo: MISSING_TODO });
  }
  const orphans = await countOrphans(db, folder, options.now);
  if (orphans.files > 0)
    findings.note(
      `${orphans.files} media files (${formatBytes(orphans.bytes)}) belong to nothing, ${orphans.example} for one: they can be deleted`,
    );
  return findings.result('media', `${files} files, ${formatBytes(bytes)}`);
}
