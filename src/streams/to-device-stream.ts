import { type ToDeviceRow, readToDeviceRows } from '../../db/to-device/stream-reader.ts';
import { defineDurableStream } from './stream.ts';

/** Messages to devices, of local users and of others; owned by `to-device`. */
export const toDeviceStream = defineDurableStream<'to-device', ToDeviceRow>({
  name: 'to-device',
  letter: 'd',
  owner: 'to-device',
  tables: [
    { table: 'to_device_messages', column: 'stream_id' },
    { table: 'to_device_outbound', column: 'stream_id' },
  ],
  read: readToDeviceRows,
  wakes: (row) => [`user:${row.userId}`],
  invalidates: () => [],
});
