import { type AccountDataRow, readAccountDataRows } from '../../db/account-data/stream-reader.ts';
import { defineDurableStream } from './stream.ts';

/** Account data, global and of rooms, tags and read markers included; owned by `account-data`. */
export const accountDataStream = defineDurableStream<'account-data', AccountDataRow>({
  name: 'account-data',
  letter: 'a',
  owner: 'account-data',
  tables: [{ table: 'account_data', column: 'stream_id' }],
  read: readAccountDataRows,
  wakes: (row) => [`user:${row.userId}`],
  invalidates: (row) => [{ fact: 'account-data', userId: row.userId, roomId: row.roomId, type: row.type }],
});
