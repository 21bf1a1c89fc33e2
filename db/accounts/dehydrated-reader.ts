import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A device that is stored here until a client takes its keys over. MSC3814. */
export interface DehydratedDevice {
  readonly deviceId: string;
  /** JSON text, encrypted by the client. */
  readonly deviceData: string;
}

export const dehydratedDevice = defineQuery<{ readonly userId: string }, DehydratedDevice>({
  name: 'accounts.find-dehydrated-device',
  sql: 'SELECT device_id AS deviceId, device_data AS deviceData FROM dehydrated_devices WHERE user_id = :userId',
});

/** The dehydrated device of a user: there is one at most. */
export function findDehydratedDevice(db: ReadDb, userId: string): Promise<DehydratedDevice | undefined> {
  return db.find(dehydratedDevice, { userId });
}
