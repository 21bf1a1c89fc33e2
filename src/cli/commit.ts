import { join } from 'node:path';
import { findText } from '../kit/program-files.ts';

const COMMIT = /^[0-9a-f]{40,64}$/;

/**
 * The commit that a clone's sources stand at, as `.git` says; changes that are not committed do not show.
 *
 * @param root the folder that holds `.git`
 * @returns undefined where there is no clone
 */
export function findCommit(root: string): string | undefined {
  const git = join(root, '.git');
  const head = findText(join(git, 'HEAD'))?.trim();
  if (head === undefined || COMMIT.test(head)) return head;
  const name = head.replace(/^ref: /, '');
  const loose = findText(join(git, name))?.trim();
  if (loose !== undefined) return COMMIT.test(loose) ? loose : undefined;
  const packed = findText(join(git, 'packed-refs'))?.split('\n') ?? [];
  return packed.find((line) => line.endsWith(` ${name}`))?.split(' ')[0];
}
