import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { RESTORE_MARK } from '../../db/kit/folder-lock.ts';
import { DATABASE_FILE } from '../../db/kit/sqlite.ts';
import { codeOf, syncPath } from './durable-files.ts';
import { MEMBERS } from './manifest.ts';

/** What a server has in its data folder; the database last, for nothing is a server's before it is there. */
const OLD_NAMES = [
  `${DATABASE_FILE}-wal`,
  `${DATABASE_FILE}-shm`,
  `${DATABASE_FILE}-journal`,
  DATABASE_FILE,
  MEMBERS.mediaFolder,
];
const NEW_NAMES = [MEMBERS.mediaFolder, DATABASE_FILE];
const FOLDER_MODE = 0o700;

/** Has a server been at home in this folder? Other files, a configuration for example, do not matter. */
export function isInUse(dataFolder: string): boolean {
  return OLD_NAMES.some((name) => existsSync(path.join(dataFolder, name)));
}

/** Was a restore into this folder interrupted while it moved things? */
export function isUnfinished(dataFolder: string): boolean {
  return existsSync(path.join(dataFolder, RESTORE_MARK));
}

async function readMark(mark: string): Promise<string | undefined> {
  try {
    return (await readFile(mark, 'utf8')).trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Moves what is there aside; what was moved by an interrupted restore stays there, and what that one has brought goes. */
async function moveAside(dataFolder: string, aside: string): Promise<boolean> {
  let isAnything = existsSync(aside);
  for (const name of OLD_NAMES) {
    const here = path.join(dataFolder, name);
    if (!existsSync(here)) continue;
    const there = path.join(aside, name);
    isAnything = true;
    await mkdir(aside, { recursive: true, mode: FOLDER_MODE });
    if (existsSync(there)) await rm(here, { recursive: true });
    else await rename(here, there);
  }
  return isAnything;
}

/**
 * Puts what was unpacked into its place, all or nothing: as long as a mark stands in the folder no server starts there. What was there is kept
 * in a folder of its own inside. Within one folder, so that it may be a mount point.
 *
 * @param unpacked a folder inside the data folder, which goes
 * @param asideName the name of the folder for what was there
 * @returns the folder that has what was there, or null when there was nothing
 */
export async function placeRestored(
  dataFolder: string,
  unpacked: string,
  asideName: string,
): Promise<string | null> {
  const mark = path.join(dataFolder, RESTORE_MARK);
  const name = (await readMark(mark)) ?? asideName;
  await writeFile(mark, `${name}\n`, { flush: true });
  await syncPath(dataFolder);
  const aside = path.join(dataFolder, path.basename(name));
  const wasAnything = await moveAside(dataFolder, aside);
  for (const file of NEW_NAMES)
    if (existsSync(path.join(unpacked, file)))
      await rename(path.join(unpacked, file), path.join(dataFolder, file));
  await syncPath(dataFolder);
  await rm(mark);
  await rm(unpacked, { recursive: true, force: true });
  await syncPath(dataFolder);
  return wasAnything ? aside : null;
}
