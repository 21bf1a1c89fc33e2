import { type DeviceListsRow, readDeviceListRows } from '../../db/device-lists/stream-reader.ts';
import { defineDurableStream } from './stream.ts';

/** Devices that came, went or changed; owned by `device-lists`. */
export const deviceListsStream = defineDurableStream<'device-lists', DeviceListsRow>({
  name: 'device-lists',
  letter: 'l',
  owner: 'device-lists',
  tables: [
    { table: 'device_list_changes', column: 'stream_id' },
    { table: 'device_list_outbound', column: 'stream_id' },
  ],
  read: readDeviceListRows,
  wakes: (row) => [`user:${row.userId}`, ...row.roomIds.map((roomId) => `room:${roomId}` as const)],
  invalidates: (row) => [{ fact: 'device-list', userId: row.userId }],
});
