import { type LogPage, readPage } from '../kit/page.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A row of the to-device stream. */
export type ToDeviceRow = {
  readonly userId: string;
  readonly deviceId: string;
};

type Range = { readonly from: number; readonly to: number; readonly limit: number };

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<Range, ToDeviceRow & { readonly position: number }>({
  name: 'to-device.read-stream-rows',
  sql: `
    SELECT stream_id AS position, user_id AS userId, device_id AS deviceId
      FROM to_device_messages
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** A page of the to-device stream. */
export function readToDeviceRows(
  db: ReadDb,
  from: number,
  to: number,
  limit: number,
): Promise<LogPage<ToDeviceRow>> {
  return readPage(
    async (after, upTo, most) => {
      const rows = await db.all(readStreamRows, { from: after, to: upTo, limit: most });
      return rows.map(({ position, ...row }) => ({ position, row }));
    },
    from,
    to,
    limit,
  );
}
