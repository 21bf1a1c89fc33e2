import { LRUCache } from 'lru-cache';

/** Messages that wait for one device at most, {@link CHECK_INTERVAL} more at times: the oldest make room. A room's keys are one message. */
export const INBOX_MESSAGES_MAX = 50_000;
/** An inbox is looked at once in so many of its messages: counting it costs what it holds. */
export const CHECK_INTERVAL = 1_000;
/** Devices whose messages are counted; one that is forgotten is looked at with its next message. */
const DEVICES_MAX = 50_000;

interface Device {
  readonly userId: string;
  readonly deviceId: string;
}

/**
 * Says which inboxes are to be looked at: those that get their first message in this life, and those that got many since.
 *
 * @returns a function that notes one message for each of the devices and gives those whose inbox is due
 */
export function createInboxChecks(): <D extends Device>(devices: readonly D[]) => readonly D[] {
  const sinceCheck = new LRUCache<string, number>({ max: DEVICES_MAX });
  return (devices) =>
    devices.filter(({ userId, deviceId }) => {
      const key = `${userId} ${deviceId}`;
      const count = sinceCheck.get(key);
      const isDue = count === undefined || count >= CHECK_INTERVAL;
      sinceCheck.set(key, isDue ? 1 : count + 1);
      return isDue;
    });
}
