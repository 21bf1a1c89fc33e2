import { readJoinedRoomIds } from '../../db/rooms/hosts-reader.ts';
import { presenceStream } from '../../src/streams/presence-stream.ts';
import { defineActor } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { ownMemoryStream } from '../stream-owner.ts';
import type { PresenceProtocol, PresenceState } from './protocol.ts';
import { createRemotePresence } from './remote-presence.ts';
import { tellOtherServers } from './tell-other-servers.ts';
import { createUserPresence, type UserPresence } from './user-presence.ts';

type SetPresence = InputOf<PresenceProtocol, 'presence.set-presence'>;
type PresenceSet = OutputOf<PresenceProtocol, 'presence.set-presence'>;
type NoteSync = InputOf<PresenceProtocol, 'presence.note-sync'>;

const MAILBOX_LIMIT = 10_000;
/** Messages of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;
/** Users whose last row is held; beyond it the one that changed longest ago counts as offline. */
export const PRESENCE_ROWS_MAX = 100_000;

function isActive(presence: PresenceState): boolean {
  return presence === 'online' || presence === 'org.matrix.msc3026.busy';
}

/** Somebody who is there, or was a moment ago. */
interface Present {
  readonly signs: UserPresence;
  statusMessage: string | null;
  /** Milliseconds since the epoch. */
  lastActiveTs: number;
}

/**
 * Owner of the presence stream: who is there, in memory only. Somebody without a sign of life is offline, whatever was stated, and
 * forgotten here; the last row stays and keeps the status message and when the user was last active. Client-Server API v1.19, "Presence".
 */
export const presenceActor = defineActor<PresenceProtocol>({
  name: 'presence',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'drop-oldest' },
  // One user's changes in their order, though each looks up the user's rooms.
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key: (_, input) => ('userId' in input ? input.userId : null),
  },
  start(context) {
    const { owner, handlers } = ownMemoryStream(context, presenceStream, { rowsMax: PRESENCE_ROWS_MAX });
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
      };
      users.set(userId, met);
      return met;
    }

    async function publish(userId: string, user: Present): Promise<void> {
      const roomIds = await readJoinedRoomIds(context.env.db, userId);
      if (ended.aborted) return;
      const { signs, statusMessage, lastActiveTs } = user;
      const presence = signs.shown();
      // Whoever is there has been active within the life of a sign.
      const isCurrentlyActive = isActive(presence);
      const row = { userId, presence, statusMessage, lastActiveTs, isCurrentlyActive, roomIds };
      tellOtherServers(context, owner.latest(userId), row);
      owner.append(row);
    }

    async function publishChange(userId: string, user: Present): Promise<void> {
      const shown = owner.latest(userId)?.presence ?? 'offline';
      if (user.signs.shown() !== shown) await publish(userId, user);
      if (user.signs.isGone() && users.get(userId) === user) users.delete(userId);
    }

    async function setPresence({ userId, presence, statusMessage }: SetPresence): Promise<PresenceSet> {
      const user = meet(userId);
      user.signs.state(presence);
      user.statusMessage = statusMessage;
      if (isActive(presence)) user.lastActiveTs = clock.now();
      await publish(userId, user);
      return { epoch: owner.epoch, position: owner.currentToken() };
    }

    async function noteSync({ userId, deviceId, presence }: NoteSync): Promise<void> {
      // `set_presence=offline` means: this sync says nothing about presence.
      if (presence === 'offline') return;
      const user = meet(userId);
      user.signs.note(deviceId, presence);
      if (isActive(presence)) user.lastActiveTs = clock.now();
      await publishChange(userId, user);
    }

    ended.addEventListener('abort', () => {
      for (const { signs } of users.values()) signs.close();
    });

    return {
      handlers: {
        ...handlers,
        'presence.set-presence': setPresence,
        'presence.note-sync': noteSync,
        'presence.receive-remote': createRemotePresence(context, owner),
      },
    };
  },
});
