import type { WriteStep } from '../../db/kit/write-set.ts';
import { readUnannounced } from '../../db/remote-devices/reader.ts';
import { forgetAnnounced, noteUnannounced } from '../../db/remote-devices/writer.ts';
import { sleep } from '../../src/kit/clock.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';

/** When storage cannot be written, it is tried again after so many milliseconds. */
const STORAGE_RETRY_MS = 1_000;
/** When changes that could not be announced are tried again, in milliseconds. */
export const ANNOUNCE_RETRY_MS = 5_000;
/** Changes of an earlier life that are announced at once. */
const LEFTOVERS_PER_TURN_MAX = 1_000;

/** Writes lists, and tells the owner of device lists what changed. */
export interface ListStore {
  /** Writes, however long storage cannot be written; false when the actor has ended meanwhile. */
  write(steps: readonly WriteStep[]): Promise<boolean>;
  /**
   * Tells whose devices changed. To be called when the change is committed together with its note; a crash in between makes it be told later.
   */
  announce(userId: string, deviceIds: readonly string[]): Promise<void>;
  /** Writes a change and announces it. */
  change(userId: string, deviceIds: readonly string[], steps: readonly WriteStep[]): Promise<void>;
  /** Announces what an earlier life has left. */
  announceLeftovers(): Promise<void>;
}

/** Makes the store of one life of the actor. */
export function createListStore(context: TroupeContext): ListStore {
  const { clock, log, ended, env } = context;
  let isRetryDue = false;

  async function write(steps: readonly WriteStep[]): Promise<boolean> {
    while (!ended.aborted) {
      const outcome = await commit(context, steps);
      if (outcome.kind === 'committed') return true;
      if (outcome.kind === 'refused') throw new Error(`a device list has no guard, yet ${outcome.refusal}`);
      log.warn('device lists of other servers wait for storage', { fault: outcome.fault });
      await sleep(clock, STORAGE_RETRY_MS);
    }
    return false;
  }

  function retryLater(userId: string, reason: string): void {
    log.warn('a change of remote devices could not be announced yet', { userId, reason });
    if (isRetryDue) return;
    isRetryDue = true;
    clock.after(ANNOUNCE_RETRY_MS, () => {
      isRetryDue = false;
      if (ended.aborted) return;
      announceLeftovers().catch((error: unknown) => context.crash(error));
    });
  }

  async function announce(userId: string, deviceIds: readonly string[]): Promise<void> {
    if (deviceIds.length === 0) return;
    try {
      const told = await context
        .ref('device-lists')
        .ask('device-lists.record-changes', { userId, deviceIds: [...deviceIds] });
      if (isRefusal(told)) {
        retryLater(userId, told.errcode);
        return;
      }
    } catch (error) {
      if (!(error instanceof AskFailed)) throw error;
      retryLater(userId, error.reason);
      return;
    }
    await write(forgetAnnounced(userId, deviceIds));
  }

  async function announceLeftovers(): Promise<void> {
    const left = await readUnannounced(env.db, LEFTOVERS_PER_TURN_MAX);
    for (const [userId, changes] of Map.groupBy(left, (change) => change.userId))
      await announce(
        userId,
        changes.map(({ deviceId }) => deviceId),
      );
    if (left.length === LEFTOVERS_PER_TURN_MAX) retryLater('', 'there are more');
  }

  return {
    write,
    announce,
    announceLeftovers,
    async change(userId, deviceIds, steps) {
      if (await write([...steps, ...noteUnannounced(userId, deviceIds)])) await announce(userId, deviceIds);
    },
  };
}
