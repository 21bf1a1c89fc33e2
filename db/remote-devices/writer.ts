import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** A whole list. */
export interface ListToStore {
  readonly userId: string;
  readonly streamId: number;
  readonly isStale: boolean;
  /** JSON texts. */
  readonly masterKey: string | null;
  readonly selfSigningKey: string | null;
  readonly devices: readonly { readonly deviceId: string; readonly keys: string }[];
}

type OfUser = { readonly userId: string };
type OfDevice = OfUser & { readonly deviceId: string };

export const upsertList = defineQuery<
  OfUser & {
    readonly streamId: number;
    readonly isStale: number;
    readonly masterKey: string | null;
    readonly selfSigningKey: string | null;
  }
>({
  name: 'remote-devices.upsert-list',
  sql: `
    INSERT OR REPLACE INTO remote_device_lists (user_id, newest_update, is_stale, master_key, self_signing_key)
    VALUES (:userId, :streamId, :isStale, :masterKey, :selfSigningKey)`,
});

export const deleteList = defineQuery<OfUser>({
  name: 'remote-devices.delete-list',
  sql: 'DELETE FROM remote_device_lists WHERE user_id = :userId',
});

export const deleteDevicesOfUser = defineQuery<OfUser>({
  name: 'remote-devices.delete-devices-of-user',
  sql: 'DELETE FROM remote_devices WHERE user_id = :userId',
});

export const upsertDevice = defineQuery<OfDevice & { readonly keys: string }>({
  name: 'remote-devices.upsert-device',
  sql: 'INSERT OR REPLACE INTO remote_devices (user_id, device_id, keys) VALUES (:userId, :deviceId, :keys)',
});

export const deleteDevice = defineQuery<OfDevice>({
  name: 'remote-devices.delete-device',
  sql: 'DELETE FROM remote_devices WHERE user_id = :userId AND device_id = :deviceId',
});

export const updateStreamId = defineQuery<OfUser & { readonly streamId: number }>({
  name: 'remote-devices.update-stream-id',
  sql: 'UPDATE remote_device_lists SET newest_update = :streamId WHERE user_id = :userId',
});

export const markListStale = defineQuery<OfUser>({
  name: 'remote-devices.mark-stale',
  sql: 'UPDATE remote_device_lists SET is_stale = 1 WHERE user_id = :userId',
});

export const updateSigningKeys = defineQuery<
  OfUser & { readonly masterKey: string | null; readonly selfSigningKey: string | null }
>({
  name: 'remote-devices.update-signing-keys',
  sql: `
    UPDATE remote_device_lists
       SET master_key = coalesce(:masterKey, master_key), self_signing_key = coalesce(:selfSigningKey, self_signing_key)
     WHERE user_id = :userId`,
});

export const insertUnannounced = defineQuery<OfDevice>({
  name: 'remote-devices.insert-unannounced',
  sql: 'INSERT OR IGNORE INTO unannounced_remote_changes (user_id, device_id) VALUES (:userId, :deviceId)',
});

export const deleteUnannounced = defineQuery<OfDevice>({
  name: 'remote-devices.delete-unannounced',
  sql: 'DELETE FROM unannounced_remote_changes WHERE user_id = :userId AND device_id = :deviceId',
});

export const upsertProgress = defineQuery<{ readonly eventsUpTo: number }>({
  name: 'remote-devices.upsert-progress',
  sql: 'INSERT OR REPLACE INTO remote_devices_progress (only_row, events_up_to) VALUES (1, :eventsUpTo)',
});

/** The steps that store a whole list in the place of the one before. */
export function storeList({ devices, isStale, ...list }: ListToStore): WriteStep[] {
  const { userId } = list;
  return [
    step(upsertList, { ...list, isStale: isStale ? 1 : 0 }),
    step(deleteDevicesOfUser, { userId }),
    ...devices.map((device) => step(upsertDevice, { userId, ...device })),
  ];
}

/** The steps that store what an update says of one device: its keys, or (null) that it has none or is gone. */
export function storeDevice(
  userId: string,
  deviceId: string,
  keys: string | null,
  streamId: number,
): WriteStep[] {
  const change =
    keys === null ? step(deleteDevice, { userId, deviceId }) : step(upsertDevice, { userId, deviceId, keys });
  return [change, step(updateStreamId, { userId, streamId })];
}

/** The steps that forget a list. */
export function removeList(userId: string): WriteStep[] {
  return [step(deleteList, { userId }), step(deleteDevicesOfUser, { userId })];
}

/** The step that notes that the whole list is to be asked for. */
export function markStale(userId: string): WriteStep {
  return step(markListStale, { userId });
}

/** The step that stores those of the cross-signing keys that are not null. */
export function storeSigningKeys(
  userId: string,
  keys: { readonly masterKey: string | null; readonly selfSigningKey: string | null },
): WriteStep {
  return step(updateSigningKeys, { userId, ...keys });
}

/** The steps that note changes to be announced. */
export function noteUnannounced(userId: string, deviceIds: readonly string[]): WriteStep[] {
  return deviceIds.map((deviceId) => step(insertUnannounced, { userId, deviceId }));
}

/** The steps that forget announced changes. */
export function forgetAnnounced(userId: string, deviceIds: readonly string[]): WriteStep[] {
  return deviceIds.map((deviceId) => step(deleteUnannounced, { userId, deviceId }));
}

/** The step that stores up to where it was looked who has left. */
export function storeDepartureProgress(eventsUpTo: number): WriteStep {
  return step(upsertProgress, { eventsUpTo });
}
