import { defineQuery } from '../kit/query.ts';
import { rowsReader, type StreamRange } from '../kit/stream-rows.ts';

/** A row of the to-device stream. */
export type ToDeviceRow = {
  readonly userId: string;
  readonly deviceId: string;
};

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<StreamRange, ToDeviceRow & { readonly position: number }>({
  name: 'to-device.read-stream-rows',
  sql: `
    SELECT stream_id AS position, user_id AS userId, device_id AS deviceId
      FROM to_device_messages
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** A page of the to-device stream. */
export const readToDeviceRows = rowsReader(readStreamRows);
