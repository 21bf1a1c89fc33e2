import {
  isContentUsed,
  readLeastUsedCopies,
  readRemoteBytes,
  type RemoteCopy,
} from '../../db/media/reader.ts';
import { deleteRemoteMedia } from '../../db/media/writer.ts';
import { claimForRemoval, mediaFolder, removeBlob } from '../../src/media/blob-store.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';

/** Copies that make room together. */
const COPIES_PER_TURN = 50;
/** Files whose rows are gone are removed after this, in milliseconds: whoever has just read a row opens the file meanwhile. */
export const REMOVAL_DELAY_MS = 60_000;

/** Content of other servers, which is kept as long as there is room for it. */
export interface RemoteCopies {
  /** A copy came. */
  added(sizeBytes: number): void;
}

/** Makes the watch over the room that copies take. */
export async function createRemoteCopies(context: TroupeContext): Promise<RemoteCopies> {
  const { env, clock, random, log, ended } = context;
  const { db, config } = env;
  const folder = mediaFolder(config.data.path);
  let bytes = await readRemoteBytes(db);
  let isRunning = false;

  async function remove(sha256: string, claim: string): Promise<void> {
    if (await isContentUsed(db, sha256)) return;
    await removeBlob(folder, sha256, claim);
  }

  function removeLater(sha256: string, claim: string): void {
    // An end of the program before that leaves the claim, and the next start removes the file.
    clock.after(REMOVAL_DELAY_MS, () => {
      if (ended.aborted) return;
      remove(sha256, claim).catch((error: unknown) => log.error('a file was not removed', { sha256, error }));
    });
  }

  async function makeRoom(copies: readonly RemoteCopy[]): Promise<boolean> {
    const contents = [...new Set(copies.map(({ sha256 }) => sha256))];
    const claims = new Map<string, string>();
    for (const sha256 of contents) claims.set(sha256, await claimForRemoval(folder, sha256, random));
    const outcome = await commit(context, deleteRemoteMedia(copies));
    if (outcome.kind !== 'committed') return false;
    bytes -= copies.reduce((sum, { remoteBytes }) => sum + remoteBytes, 0);
    for (const [sha256, claim] of claims) removeLater(sha256, claim);
    return true;
  }

  async function makeRoomEnough(): Promise<void> {
    while (bytes > config.media.remoteCacheSize && !ended.aborted) {
      const oldest = await readLeastUsedCopies(db, COPIES_PER_TURN);
      const going: RemoteCopy[] = [];
      let left = bytes;
      for (const copy of oldest) {
        if (left <= config.media.remoteCacheSize) break;
        going.push(copy);
        left -= copy.remoteBytes;
      }
      if (going.length === 0 || !(await makeRoom(going))) return;
    }
  }

  function begin(): void {
    if (isRunning) return;
    isRunning = true;
    makeRoomEnough()
      .catch((error: unknown) => {
        if (!ended.aborted) context.crash(error);
      })
      .finally(() => {
        isRunning = false;
      });
  }

  begin();
  return {
    added(sizeBytes) {
      bytes += sizeBytes;
      begin();
    },
  };
}
