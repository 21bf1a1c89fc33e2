import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

export const departedDevices = defineQuery<{ readonly userId: string }, { readonly deviceId: string }>({
  name: 'accounts.read-departed-devices',
  sql: `
    SELECT p.device_id AS deviceId FROM departed_devices p
     WHERE p.user_id = :userId
       AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.user_id = p.user_id AND d.device_id = p.device_id)
     ORDER BY p.device_id`,
});

/** Devices of a user that are gone, and of which others may still hold something; not those that came again meanwhile. */
export async function readDepartedDevices(db: ReadDb, userId: string): Promise<string[]> {
  return (await db.all(departedDevices, { userId })).map(({ deviceId }) => deviceId);
}

export const usersWithDepartedDevices = defineQuery<
  { readonly after: string; readonly limit: number },
  { readonly userId: string }
>({
  name: 'accounts.read-users-with-departed-devices',
  sql: `
    SELECT DISTINCT user_id AS userId FROM departed_devices
     WHERE user_id > :after ORDER BY user_id LIMIT :limit`,
});

/** Users some of whose devices are gone, and of which others may still hold something: by id, after one of them. */
export async function readUsersWithDepartedDevices(
  db: ReadDb,
  after: string,
  limit: number,
): Promise<string[]> {
  return (await db.all(usersWithDepartedDevices, { after, limit })).map(({ userId }) => userId);
}
