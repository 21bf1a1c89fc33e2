import { readJoinedRoomIds } from '../../db/rooms/hosts-reader.ts';
import type { MemoryStreamOwner } from '../../src/streams/owned-memory-stream.ts';
import type { PresenceRow } from '../../src/streams/presence-stream.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { PresenceProtocol, PresenceState } from './protocol.ts';
import { isNewsOf, TELL_AGAIN_MS, tellOtherServers } from './tell-other-servers.ts';
import { createUserPresence, type UserPresence } from './user-presence.ts';

type SetPresence = InputOf<PresenceProtocol, 'presence.set-presence'>;
type PresenceSet = OutputOf<PresenceProtocol, 'presence.set-presence'>;
type NoteSync = InputOf<PresenceProtocol, 'presence.note-sync'>;

function isActive(presence: PresenceState): boolean {
  return presence === 'online' || presence === 'org.matrix.msc3026.busy';
}

/** Somebody who is there, or was a moment ago. */
interface Present {
  readonly signs: UserPresence;
  statusMessage: string | null;
  /** Milliseconds since the epoch. */
  lastActiveTs: number;
  /** When other servers were told last, in milliseconds on the monotonic clock; null: not yet. */
  toldAt: number | null;
}

/** Who of this server is there. Client-Server API v1.19, "Presence". */
export interface LocalPresence {
  set(statement: SetPresence): Promise<PresenceSet>;
  noteSync(sync: NoteSync): Promise<void>;
  /** What is shown of a user who is there; undefined for one who is not. */
  find(userId: string): PresenceRow | undefined;
  /** Everybody who is there. */
  all(): readonly PresenceRow[];
}

/** Nobody is there yet. */
export function createLocalPresence(
  context: TroupeContext,
  owner: MemoryStreamOwner<PresenceRow>,
): LocalPresence {
  const { clock, ended } = context;
  const users = new Map<string, Present>();

  function meet(userId: string): Present {
    const known = users.get(userId);
    if (known !== undefined) return known;
    const last = owner.latest(userId);
    const met: Present = {
      signs: createUserPresence(clock, () => {
        publishChange(userId, met).catch((error: unknown) => context.crash(error));
      }),
      statusMessage: last?.statusMessage ?? null,
      lastActiveTs: last?.lastActiveTs ?? clock.now(),
      toldAt: null,
    };
    users.set(userId, met);
    return met;
  }

  /** Others would soon take the user for gone. */
  const isToBeRenewed = ({ signs, toldAt }: Present): boolean =>
    toldAt !== null && signs.shown() !== 'offline' && clock.monotonic() - toldAt >= TELL_AGAIN_MS;

  async function publish(userId: string, user: Present): Promise<void> {
    const roomIds = await readJoinedRoomIds(context.env.db, userId);
    if (ended.aborted) return;
    const { signs, statusMessage, lastActiveTs } = user;
    const presence = signs.shown();
    // Whoever is there has been active within the life of a sign.
    const isCurrentlyActive = isActive(presence);
    const row = { userId, presence, statusMessage, lastActiveTs, isCurrentlyActive, roomIds };
    if (isNewsOf(row, owner.latest(userId)) || isToBeRenewed(user)) {
      user.toldAt = clock.monotonic();
      tellOtherServers(context, row);
    }
    owner.append(row);
  }

  async function publishChange(userId: string, user: Present): Promise<void> {
    const shown = owner.latest(userId)?.presence ?? 'offline';
    if (user.signs.shown() !== shown || isToBeRenewed(user)) await publish(userId, user);
    if (user.signs.isGone() && users.get(userId) === user) users.delete(userId);
  }

  ended.addEventListener('abort', () => {
    for (const { signs } of users.values()) signs.close();
  });

  function find(userId: string): PresenceRow | undefined {
    const row = users.has(userId) ? owner.latest(userId) : undefined;
    return row?.presence === 'offline' ? undefined : row;
  }

  return {
    async set({ userId, presence, statusMessage }) {
      const user = meet(userId);
      user.signs.state(presence);
      user.statusMessage = statusMessage;
      if (isActive(presence)) user.lastActiveTs = clock.now();
      await publish(userId, user);
      return { epoch: owner.epoch, position: owner.currentToken() };
    },
    async noteSync({ userId, deviceId, presence }) {
      // `set_presence=offline` means: this sync says nothing about presence.
      if (presence === 'offline') return;
      const user = meet(userId);
      user.signs.note(deviceId, presence);
      if (isActive(presence)) user.lastActiveTs = clock.now();
      await publishChange(userId, user);
    },
    find,
    all: () => [...users.keys()].flatMap((userId) => find(userId) ?? []),
  };
}
