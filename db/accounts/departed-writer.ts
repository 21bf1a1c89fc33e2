import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type OneDevice = { readonly userId: string; readonly deviceId: string };

export const deleteDepartedDevice = defineQuery<OneDevice>({
  name: 'accounts.delete-departed-device',
  sql: 'DELETE FROM departed_devices WHERE user_id = :userId AND device_id = :deviceId',
});

/** The steps that forget devices of which nobody holds anything any more. */
export function endDepartures(userId: string, deviceIds: readonly string[]): WriteStep[] {
  return deviceIds.map((deviceId) => step(deleteDepartedDevice, { userId, deviceId }));
}
