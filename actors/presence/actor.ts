import { readJoinedRoomIds } from '../../db/rooms/hosts-reader.ts';
import type { Timer } from '../../src/kit/clock.ts';
import { presenceStream } from '../../src/streams/presence-stream.ts';
import { defineActor } from '../environment.ts';
import type { InputOf } from '../kit/protocol.ts';
import { ownMemoryStream } from '../stream-owner.ts';
import type { PresenceProtocol, PresenceState } from './protocol.ts';

type SetPresence = InputOf<PresenceProtocol, 'presence.set-presence'>;
type NoteSync = InputOf<PresenceProtocol, 'presence.note-sync'>;

const MAILBOX_LIMIT = 10_000;
/** A device that has not synced for this long is gone; longer than a long poll lasts. */
export const DEVICE_ABSENT_MS = 150_000;
/** After this long without activity a user is shown as not currently active. */
export const CURRENTLY_ACTIVE_MS = 300_000;
/** Devices of one user that count. */
const DEVICES_MAX = 100;

interface UserPresence {
  /** What the user said, or null: follow the devices. */
  stated: PresenceState | null;
  statusMessage: string | null;
  lastActiveTs: number;
  readonly devices: Map<string, { presence: PresenceState; readonly timer: Timer }>;
  /** What was published last. */
  shown: PresenceState;
}

/** The most present of several devices: online before unavailable before offline. */
function mostPresent(states: Iterable<PresenceState>): PresenceState {
  const all = new Set(states);
  if (all.has('online')) return 'online';
  return all.has('unavailable') ? 'unavailable' : 'offline';
}

/**
 * Owner of the presence stream: who is there, in memory only. Somebody without a syncing device is offline, whatever was stated.
 * Client-Server API v1.19, "Presence".
 */
export const presenceActor = defineActor<PresenceProtocol>({
  name: 'presence',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'drop-oldest' },
  // One user's changes in their order, though each looks up the user's rooms.
  order: { kind: 'by-key', turnBudget: 16, key: (_, input) => (input as { userId?: string }).userId ?? null },
  start(context) {
    const { owner, handlers } = ownMemoryStream(context, presenceStream);
    const { clock } = context;
    const users = new Map<string, UserPresence>();

    function userOf(userId: string): UserPresence {
      const known = users.get(userId);
      if (known !== undefined) return known;
      const user: UserPresence = {
        stated: null,
        statusMessage: null,
        lastActiveTs: clock.now(),
        devices: new Map(),
        shown: 'offline',
      };
      users.set(userId, user);
      return user;
    }

    function stateOf(user: UserPresence): PresenceState {
      const ofDevices = mostPresent([...user.devices.values()].map((device) => device.presence));
      if (user.devices.size === 0) return user.stated ?? 'offline';
      return user.stated === null || user.stated === 'online' ? ofDevices : user.stated;
    }

    async function publish(userId: string, user: UserPresence): Promise<void> {
      const roomIds = await readJoinedRoomIds(context.env.db, userId);
      const presence = stateOf(user);
      user.shown = presence;
      const isCurrentlyActive =
        presence === 'online' && clock.now() - user.lastActiveTs < CURRENTLY_ACTIVE_MS;
      const { statusMessage, lastActiveTs } = user;
      owner.append({ userId, presence, statusMessage, lastActiveTs, isCurrentlyActive, roomIds });
    }

    function deviceGone(userId: string, deviceId: string): void {
      const user = users.get(userId);
      if (user === undefined || !user.devices.delete(deviceId)) return;
      if (user.devices.size === 0) user.stated = null;
      if (stateOf(user) !== user.shown) publish(userId, user).catch(context.crash);
    }

    async function setPresence({ userId, presence, statusMessage }: SetPresence) {
      const user = userOf(userId);
      user.stated = presence;
      user.statusMessage = statusMessage;
      if (presence === 'online') user.lastActiveTs = clock.now();
      await publish(userId, user);
      return { epoch: owner.epoch, position: owner.currentToken() };
    }

    async function noteSync({ userId, deviceId, presence }: NoteSync): Promise<void> {
      const user = userOf(userId);
      const before = user.devices.get(deviceId);
      if (before !== undefined) clock.cancel(before.timer);
      user.devices.delete(deviceId);
      // `set_presence=offline` means: this sync says nothing about presence.
      if (presence !== 'offline' && user.devices.size < DEVICES_MAX) {
        const timer = clock.after(DEVICE_ABSENT_MS, () => deviceGone(userId, deviceId));
        user.devices.set(deviceId, { presence, timer });
        if (presence === 'online') user.lastActiveTs = clock.now();
      }
      if (stateOf(user) !== user.shown) await publish(userId, user);
    }

    context.ended.addEventListener('abort', () => {
      for (const user of users.values()) for (const { timer } of user.devices.values()) clock.cancel(timer);
    });

    return {
      handlers: { ...handlers, 'presence.set-presence': setPresence, 'presence.note-sync': noteSync },
    };
  },
});
