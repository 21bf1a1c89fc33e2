import { readSharedRoomIds } from '../../db/rooms/hosts-reader.ts';
import type { Timer } from '../../src/kit/clock.ts';
import type { MemoryStreamOwner } from '../../src/streams/owned-memory-stream.ts';
import type { PresenceRow } from '../../src/streams/presence-stream.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { PresenceProtocol } from './protocol.ts';

/** How long a user of another server stays what that server said last, in milliseconds: it may be gone, and nobody tells us then. */
export const REMOTE_PRESENCE_MS = 30 * 60 * 1_000;
/** Users of other servers that are remembered to be there; beyond it whoever was heard of longest ago counts as gone. */
export const REMOTE_USERS_MAX = 50_000;

type ReceiveRemote = InputOf<PresenceProtocol, 'presence.receive-remote'>;

/** Who of other servers is there, as long as their servers say so. Server-Server API v1.19, "Presence". */
export function createRemotePresence(
  { clock, ended, env }: Pick<TroupeContext, 'clock' | 'ended' | 'env'>,
  owner: MemoryStreamOwner<PresenceRow>,
): (said: ReceiveRemote) => Promise<void> {
  const users = new Map<string, Timer>();

  function forget(userId: string): void {
    const timer = users.get(userId);
    if (timer !== undefined) clock.cancel(timer);
    users.delete(userId);
  }

  function lapse(userId: string): void {
    forget(userId);
    const last = owner.latest(userId);
    if (last !== undefined) owner.append({ ...last, presence: 'offline', isCurrentlyActive: false });
  }

  function note(userId: string): void {
    forget(userId);
    const [oldest] = users.keys();
    if (oldest !== undefined && users.size >= REMOTE_USERS_MAX) lapse(oldest);
    users.set(
      userId,
      clock.after(REMOTE_PRESENCE_MS, () => lapse(userId)),
    );
  }

  ended.addEventListener('abort', () => {
    for (const timer of users.values()) clock.cancel(timer);
  });

  return async ({ userId, lastActiveAgoMs, presence, statusMessage, isCurrentlyActive }) => {
    const roomIds = await readSharedRoomIds(env.db, userId);
    if (ended.aborted || roomIds.length === 0) return;
    const lastActiveTs = Math.max(0, clock.now() - lastActiveAgoMs);
    owner.append({ userId, presence, statusMessage, lastActiveTs, isCurrentlyActive, roomIds });
    if (presence === 'offline') forget(userId);
    else note(userId);
  };
}
