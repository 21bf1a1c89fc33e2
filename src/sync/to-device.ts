import { readWaitingMessages } from '../../db/to-device/reader.ts';
import { toDeviceStream } from '../streams/to-device-stream.ts';
import { pollingDeviceKey, pollingDevicesCache } from './caches/polling-devices.ts';
import type { SyncContext } from './sync-context.ts';
import type { SyncRange } from './sync-range.ts';
import type { SyncCaller, SyncServices } from './sync-services.ts';

/** Messages in one answer; the others come with the next. */
export const TO_DEVICE_MESSAGES_MAX = 100;

/** Messages for the device. */
export interface ToDeviceNews {
  readonly texts: readonly string[];
  /** The client has everything up to here: its position of the to-device stream. */
  readonly position: number;
}

const { name } = toDeviceStream;

/**
 * Messages that wait for the device. Client-Server API v1.19, "Send-to-Device messaging".
 */
export async function readToDevice(context: SyncContext): Promise<ToDeviceNews> {
  const { range, services, caller } = context;
  const [from, to] = [range.from(name), range.to(name)];
  const mayHaveChanged = services.streams.mayHaveChanged(name, `user:${caller.userId}`, from);
  if (from >= to || !(range.isInitial || mayHaveChanged)) return { texts: [], position: to };
  const messages = await readWaitingMessages(services.db, caller, from, to, TO_DEVICE_MESSAGES_MAX + 1);
  const fitting = messages.slice(0, TO_DEVICE_MESSAGES_MAX);
  const last = fitting.at(-1);
  return {
    texts: fitting.map(
      ({ sender, type, content }) =>
        `{"sender":${JSON.stringify(sender)},"type":${JSON.stringify(type)},"content":${content}}`,
    ),
    position: messages.length > fitting.length && last !== undefined ? last.position : to,
  };
}

/**
 * Deletes what the device has: a client that comes back with a `since` has stored everything before it. Asks the owner only when there
 * is something to delete.
 */
export async function acknowledgeToDevice(
  services: SyncServices,
  caller: SyncCaller,
  range: SyncRange,
): Promise<void> {
  const position = range.from(name);
  if (range.isInitial || position === 0) return;
  const { userId, deviceId } = caller;
  const device = await services.cached.get(pollingDevicesCache, pollingDeviceKey(userId, deviceId));
  const emptyUpTo = device.inboxEmptyUpTo;
  if (emptyUpTo !== null && !services.streams.mayHaveChanged(name, `user:${userId}`, emptyUpTo)) return;
  const received = await readWaitingMessages(services.db, caller, 0, position, 1);
  if (received.length > 0)
    await services['to-device'].ask('to-device.delete-received', { userId, deviceId, position });
  device.inboxEmptyUpTo = position;
}
