import { type LogPage, readLatestPage } from '../kit/page.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A row of the device-lists stream. */
export type DeviceListsRow = {
  readonly userId: string;
  readonly deviceId: string;
  /** Rooms that the user has joined: those in them are woken. */
  readonly roomIds: readonly string[];
};

type Range = { readonly from: number; readonly to: number; readonly limit: number };

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<
  Range,
  Omit<DeviceListsRow, 'roomIds'> & { readonly position: number; readonly roomIds: string }
>({
  name: 'device-lists.read-stream-rows',
  sql: `
    SELECT c.stream_id AS position, c.user_id AS userId, c.device_id AS deviceId,
           (SELECT json_group_array(r.room_id)
              FROM state_keys k
              JOIN current_state s ON s.state_key_nid = k.state_key_nid AND s.membership = 'join'
              JOIN rooms r ON r.room_nid = s.room_nid
             WHERE k.type = 'm.room.member' AND k.state_key = c.user_id) AS roomIds
      FROM device_list_changes c
     WHERE c.stream_id > :from AND c.stream_id <= :to
     ORDER BY c.stream_id LIMIT :limit`,
});

/** A page of the device-lists stream. */
export function readDeviceListRows(
  db: ReadDb,
  from: number,
  to: number,
  limit: number,
): Promise<LogPage<DeviceListsRow>> {
  return readLatestPage(
    async (after, upTo, most) => {
      const rows = await db.all(readStreamRows, { from: after, to: upTo, limit: most });
      return rows.map(({ position, roomIds, ...row }) => ({
        position,
        row: { ...row, roomIds: JSON.parse(roomIds) as string[] },
      }));
    },
    from,
    to,
    limit,
  );
}
