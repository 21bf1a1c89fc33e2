import { statfs } from 'node:fs/promises';
import { formatBytes } from './progress.ts';

/** There is too little room; the message says how much, and where. */
export class NotEnoughSpace extends Error {
  constructor(folder: string, neededBytes: number, freeBytes: number) {
    super(
      `there is not enough room in ${folder}: about ${formatBytes(neededBytes)} are needed, and ${formatBytes(freeBytes)} are free`,
    );
    this.name = 'NotEnoughSpace';
  }
}

/** @throws NotEnoughSpace (rejection) when fewer bytes than these are free for this user */
export async function requireSpace(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < neededBytes) throw new NotEnoughSpace(folder, neededBytes, bavail * bsize);
}
