import type { PresenceState } from '../../../actors/presence/protocol.ts';
import type { Milliseconds } from '../../kit/clock.ts';
import { defineCache } from '../../streams/cache.ts';

/** What a thread remembers of a device between two of its polls. Forgetting it costs only doing once more what was done. */
export interface PollingDevice {
  /** What the owner of presence was told last, and when on the monotonic clock; null before that. */
  told: { readonly presence: PresenceState; readonly at: Milliseconds } | null;
  /** No message to the device waits up to this position of the to-device stream; null: not known. */
  inboxEmptyUpTo: number | null;
}

const POLLING_DEVICES_MAX = 20_000;

/** The key of a device in {@link pollingDevicesCache}: user ids have no space. */
export function pollingDeviceKey(userId: string, deviceId: string): string {
  return `${userId} ${deviceId}`;
}

/** What is remembered of each device that polls, by {@link pollingDeviceKey}. */
export const pollingDevicesCache = defineCache<string, PollingDevice>({
  name: 'polling-devices',
  sizeMax: POLLING_DEVICES_MAX,
  load: () => Promise.resolve({ told: null, inboxEmptyUpTo: null }),
  reads: [],
  dependsOn: {},
});
