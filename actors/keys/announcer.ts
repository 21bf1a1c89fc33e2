import { forgetUnannounced, unannouncedChanges, unannouncedUsers } from '../../db/keys/writer.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import type { StreamMark } from '../accounts/protocol.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';

/** When changes that could not be announced are tried again, in milliseconds. */
export const ANNOUNCE_RETRY_MS = 5_000;
/** Users whose changes are announced at once when some were left over. */
const USERS_PER_TURN_MAX = 500;

/**
 * Tells the owner of device lists whose keys changed. A change is noted in the write that makes it and forgotten when it has been told, so
 * that a crash between the two makes it be told twice, never not at all.
 */
export interface Announcer {
  /**
   * Announces committed changes that were noted.
   *
   * @param deviceIds of devices, or public keys of cross-signing keys
   * @returns where the announcement stands; empty when it has to be tried again later
   */
  announce(userId: string, deviceIds: readonly string[]): Promise<readonly StreamMark[]>;
  /** Finds whose changes an earlier life has left, and tells the actor itself to announce them, each in the order of its user's changes. */
  findLeftovers(): Promise<void>;
  /** Announces what is left of one user. */
  announceLeftovers(userId: string): Promise<void>;
}

/** Makes the announcer of one life of the actor. */
export function createAnnouncer(context: TroupeContext): Announcer {
  const deviceLists = context.ref('device-lists');
  let isRetryDue = false;

  function retryLater(userId: string, reason: string): void {
    context.log.warn('a change of keys could not be announced yet', { userId, reason });
    if (isRetryDue) return;
    isRetryDue = true;
    context.clock.after(ANNOUNCE_RETRY_MS, () => {
      isRetryDue = false;
      if (context.ended.aborted) return;
      findLeftovers().catch((error: unknown) => context.crash(error));
    });
  }

  async function announce(userId: string, deviceIds: readonly string[]): Promise<readonly StreamMark[]> {
    if (deviceIds.length === 0) return [];
    try {
      const told = await deviceLists.ask('device-lists.record-changes', { userId, deviceIds });
      if (isRefusal(told)) {
        retryLater(userId, told.errcode);
        return [];
      }
      const forgotten = await commit(context, forgetUnannounced(userId, deviceIds));
      if (forgotten.kind !== 'committed') retryLater(userId, forgotten.kind);
      return [{ stream: 'device-lists', position: told.position }];
    } catch (error) {
      if (!(error instanceof AskFailed) || error.actor === 'committer') throw error;
      retryLater(userId, error.reason);
      return [];
    }
  }

  async function findLeftovers(): Promise<void> {
    const users = await context.env.db.all(unannouncedUsers, { limit: USERS_PER_TURN_MAX });
    for (const { userId } of users) {
      const sent = context.ref('keys').tell('keys.announce-leftovers', { userId });
      if (sent !== 'sent') retryLater(userId, sent);
    }
    if (users.length === USERS_PER_TURN_MAX) retryLater('', 'there are more');
  }

  return {
    announce,
    findLeftovers,
    async announceLeftovers(userId) {
      const changes = await context.env.db.all(unannouncedChanges, { userId });
      await announce(
        userId,
        changes.map(({ deviceId }) => deviceId),
      );
    },
  };
}
