import { realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';

/** What the program unpacks cannot be where it would be; the message says why, and what to set. */
export class CacheFolderUnusable extends Error {
  constructor(folder: string, reason: string, code?: string) {
    super(
      `its native parts cannot be unpacked to ${folder}: ${reason}. ` +
        'Set TROUPE_CACHE_DIR to a folder that only this user can write to, with 30 MB free, on a disk from which programs may be run.',
    );
    this.name = 'CacheFolderUnusable';
    if (code !== undefined) Object.assign(this, { code });
  }
}

/**
 * Where the program unpacks what has to be files: `TROUPE_CACHE_DIR`, or systemd's `CACHE_DIRECTORY`, or `troupe` in the user's cache folder
 * (`XDG_CACHE_HOME`, `~/.cache`).
 *
 * @throws CacheFolderUnusable when nothing of these is known
 */
export function cachePlace(
  environment: Readonly<Record<string, string | undefined>>,
  home: () => string,
): string {
  const { TROUPE_CACHE_DIR: own, CACHE_DIRECTORY: ofUnit, XDG_CACHE_HOME: ofUser } = environment;
  if (own !== undefined && own !== '') return own;
  // systemd lists all that the unit asks for.
  const [first = ''] = (ofUnit ?? '').split(':');
  if (first !== '') return first;
  if (ofUser !== undefined && ofUser.startsWith('/')) return join(ofUser, 'troupe');
  try {
    return join(home(), '.cache', 'troupe');
  } catch {
    throw new CacheFolderUnusable('~/.cache/troupe', 'this user has no home folder');
  }
}

const WRITABLE_BY_GROUP_OR_OTHERS = 0o022;
const WRITABLE_BY_OTHERS = 0o002;
const STICKY = 0o1000;

const isOurs = ({ uid }: Stats, user: number): boolean => uid === user || uid === 0;

/**
 * Looks whether somebody else could put code there: what lies in the folder is run.
 *
 * @param folder exists
 * @param user the effective user; undefined on systems that have none
 * @throws CacheFolderUnusable
 */
export function checkOwner(folder: string, user: number | undefined): void {
  if (user === undefined) return;
  const real = realpathSync(folder);
  const stats = statSync(real);
  if (!isOurs(stats, user)) throw new CacheFolderUnusable(folder, 'it belongs to another user');
  if ((stats.mode & WRITABLE_BY_GROUP_OR_OTHERS) !== 0)
    throw new CacheFolderUnusable(folder, 'other users can write to it, and what lies in it is run');
  for (let above = dirname(real); ; above = dirname(above)) {
    const { mode } = statSync(above);
    // In a sticky folder, such as /tmp, nobody can move what belongs to somebody else.
    if ((mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0)
      throw new CacheFolderUnusable(folder, `other users can write to ${above}, and what lies in it is run`);
    if (above === dirname(above)) return;
  }
}
