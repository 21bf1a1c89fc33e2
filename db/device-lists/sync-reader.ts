import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

export const readUsersWithChangedDevicesQuery = defineQuery<
  { readonly from: number; readonly to: number },
  { readonly userId: string }
>({
  name: 'device-lists.sync-users-with-changes',
  sql: `
    SELECT DISTINCT user_id AS userId
      FROM device_list_changes
     WHERE stream_id > :from AND stream_id <= :to`,
});

/** Users whose devices changed with `from < position <= to` on the device-lists stream. */
export async function readUsersWithChangedDevices(db: ReadDb, from: number, to: number): Promise<string[]> {
  const rows = await db.all(readUsersWithChangedDevicesQuery, { from, to });
  return rows.map((row) => row.userId);
}
