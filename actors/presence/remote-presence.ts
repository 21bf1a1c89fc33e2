import { readHostsOfRoom, readSharedRoomIds } from '../../db/rooms/hosts-reader.ts';
import type { Timer } from '../../src/kit/clock.ts';
import type { MemoryStreamOwner } from '../../src/streams/owned-memory-stream.ts';
import type { PresenceRow } from '../../src/streams/presence-stream.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { PresenceProtocol } from './protocol.ts';
import { createRecentPresence, type SaidPresence } from './recent-presence.ts';

/** How long a user of another server stays what that server said last, in milliseconds: it may be gone, and nobody tells us then. */
export const REMOTE_PRESENCE_MS = 30 * 60 * 1_000;
/** Users of other servers that are remembered to be there; beyond it whoever was heard of longest ago counts as gone. */
export const REMOTE_USERS_MAX = 50_000;
/** Users of other servers that are looked for in a room that this server comes into. */
export const LOOKED_FOR_MAX = 1_000;

type ReceiveRemote = InputOf<PresenceProtocol, 'presence.receive-remote'>;

/** Who of other servers is there, as long as their servers say so. Server-Server API v1.19, "Presence". */
export interface RemotePresence {
  /** What their server says. It counts where they share a room with a local user. */
  receive(said: ReceiveRemote): Promise<void>;
  /** One of them has come into a room: what is known of them is for those in it, too. */
  enter(userId: string, roomId: string): Promise<void>;
  /**
   * This server has come into a room, or knows now who is in it. Servers tell who is there as soon as they have taken a join, and that may be heard
   * before the join is stored here.
   */
  look(roomId: string): Promise<void>;
}

/** Nobody is there yet. */
export function createRemotePresence(
  { clock, ended, env }: Pick<TroupeContext, 'clock' | 'ended' | 'env'>,
  owner: MemoryStreamOwner<PresenceRow>,
): RemotePresence {
  const users = new Map<string, Timer>();
  const recent = createRecentPresence(clock);

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

  /** Shows it to those who share a room with the user, unless it is not true any more by then. */
  async function place(said: SaidPresence, isNew: boolean, isTrue: () => boolean): Promise<void> {
    const { userId, presence } = said;
    const roomIds = await readSharedRoomIds(env.db, userId);
    if (ended.aborted || roomIds.length === 0 || !isTrue()) return;
    owner.append({ ...said, roomIds });
    if (presence === 'offline') forget(userId);
    // It is believed as long as if it had not been placed again.
    else if (isNew || !users.has(userId)) note(userId);
  }

  ended.addEventListener('abort', () => {
    for (const timer of users.values()) clock.cancel(timer);
  });

  return {
    async receive({ lastActiveAgoMs, ...told }) {
      const said = { ...told, lastActiveTs: Math.max(0, clock.now() - lastActiveAgoMs) };
      recent.note(said);
      await place(said, true, () => true);
    },
    async enter(userId, roomId) {
      const last = owner.latest(userId);
      if (last?.roomIds.includes(roomId) === true) return;
      const said = last === undefined || last.presence === 'offline' ? recent.find(userId) : last;
      if (said !== undefined) await place(said, false, () => owner.latest(userId) === last);
    },
    async look(roomId) {
      const hosts = await readHostsOfRoom(env.db, roomId);
      const said = hosts.flatMap((host) => recent.of(host)).slice(0, LOOKED_FOR_MAX);
      for (const one of said) {
        if (ended.aborted) return;
        const { userId } = one;
        if (owner.latest(userId)?.roomIds.includes(roomId) !== true)
          await place(one, false, () => recent.find(userId) === one);
      }
    },
  };
}
