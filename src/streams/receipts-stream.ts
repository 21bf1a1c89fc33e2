import { type ReceiptsRow, readReceiptRows } from '../../db/receipts/stream-reader.ts';
import { defineDurableStream } from './stream.ts';

/** Receipts, public and private; owned by `receipts`. */
export const receiptsStream = defineDurableStream<'receipts', ReceiptsRow>({
  name: 'receipts',
  letter: 'r',
  owner: 'receipts',
  tables: [{ table: 'receipts', column: 'stream_id' }],
  read: readReceiptRows,
  wakes: (row) => (row.type === 'm.read.private' ? [`user:${row.userId}`] : [`room:${row.roomId}`]),
  invalidates: (row) => [{ fact: 'receipt', roomId: row.roomId, userId: row.userId }],
});
