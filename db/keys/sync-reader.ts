import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

export const findCountChange = defineQuery<
  { readonly userId: string; readonly deviceId: string; readonly from: number; readonly to: number },
  { readonly position: number }
>({
  name: 'keys.find-count-change',
  sql: `
    SELECT stream_id AS position FROM key_count_changes
     WHERE user_id = :userId AND device_id = :deviceId AND stream_id > :from AND stream_id <= :to`,
});

/** Did the one-time or fallback keys of a device change with `from < position <= to` on the keys stream, last? */
export async function hasCountChanged(
  db: ReadDb,
  device: { readonly userId: string; readonly deviceId: string },
  from: number,
  to: number,
): Promise<boolean> {
  const { userId, deviceId } = device;
  return (await db.find(findCountChange, { userId, deviceId, from, to })) !== undefined;
}

export const readSignedUsersQuery = defineQuery<
  { readonly userId: string; readonly from: number; readonly to: number },
  { readonly targetUserId: string }
>({
  name: 'keys.read-signed-users',
  sql: `
    SELECT target_user_id AS targetUserId FROM signature_changes
     WHERE user_id = :userId AND stream_id > :from AND stream_id <= :to`,
});

/** Users whose keys `userId` last signed with `from < position <= to` on the keys stream; itself among them when its own changed. */
export async function readSignedUsers(
  db: ReadDb,
  userId: string,
  from: number,
  to: number,
): Promise<string[]> {
  const rows = await db.all(readSignedUsersQuery, { userId, from, to });
  return rows.map(({ targetUserId }) => targetUserId);
}
