import { LRUCache } from 'lru-cache';
import type { Clock, Milliseconds } from '../../kit/clock.ts';
import type { Caller } from './endpoint.ts';
import type { Services } from './services.ts';

/** How often the use of one access token is told, in milliseconds: clients ask many times a second and people look at minutes. */
export const DEVICE_USE_INTERVAL_MS = 60_000;

/** How many tokens a thread remembers to have told of; one that is forgotten is told of again. */
export const DEVICE_USES_MAX = 20_000;

/** The longest user agent that is told. */
const USER_AGENT_LENGTH_MAX = 256;

/** Tells the accounts actor which devices are used, for "last seen". */
export interface DeviceUseNotes {
  /** A request of `caller`. What it costs when the token was told of lately is one look into a map. */
  note(caller: Caller, from: () => { readonly ip: string; readonly userAgent: string }): void;
}

/** Makes the notes of one thread. */
export function createDeviceUseNotes(services: Pick<Services, 'accounts'>, clock: Clock): DeviceUseNotes {
  const toldAt = new LRUCache<string, Milliseconds>({ max: DEVICE_USES_MAX });
  return {
    note({ userId, deviceId, tokenHash }, from) {
      const now = clock.monotonic();
      const before = toldAt.get(tokenHash);
      if (before !== undefined && now - before < DEVICE_USE_INTERVAL_MS) return;
      toldAt.set(tokenHash, now);
      const { ip, userAgent } = from();
      const use = { userId, deviceId, ip, userAgent: userAgent.slice(0, USER_AGENT_LENGTH_MAX) };
      // A full mailbox loses it, which is right: the next request after the interval tells it again.
      services.accounts.tell('accounts.note-use', use);
    },
  };
}
