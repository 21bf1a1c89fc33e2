import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type OneDevice = { readonly userId: string; readonly deviceId: string };

/** A dehydrated device that is to be stored. */
export type NewDehydratedDevice = OneDevice & {
  readonly displayName: string | null;
  /** JSON text. */
  readonly deviceData: string;
};

/** Makes the device, which has no token. */
export const insertTokenlessDevice = defineQuery<
  OneDevice & { readonly displayName: string | null; readonly now: number }
>({
  name: 'accounts.insert-tokenless-device',
  sql: `
    INSERT INTO devices (user_id, device_id, display_name, created_ts)
    VALUES (:userId, :deviceId, :displayName, :now)
    ON CONFLICT (user_id, device_id) DO UPDATE SET display_name = excluded.display_name`,
});

export const replaceDehydratedDevice = defineQuery<OneDevice & { readonly deviceData: string }>({
  name: 'accounts.replace-dehydrated-device',
  sql: `
    INSERT OR REPLACE INTO dehydrated_devices (user_id, device_id, device_data)
    VALUES (:userId, :deviceId, :deviceData)`,
});

/** The steps that store a dehydrated device in the place of the one before, whose device others delete. `now` in milliseconds. */
export function storeDehydratedDevice(device: NewDehydratedDevice, now: number): WriteStep[] {
  const { userId, deviceId, displayName, deviceData } = device;
  return [
    step(insertTokenlessDevice, { userId, deviceId, displayName, now }),
    step(replaceDehydratedDevice, { userId, deviceId, deviceData }),
  ];
}
