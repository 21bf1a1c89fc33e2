import { type KeysRow, readKeysRows } from '../../db/keys/stream-reader.ts';
import { defineDurableStream } from './stream.ts';

/**
 * One-time and fallback keys that came or were claimed, and signatures that only who made them is to see; owned by `keys`. What others
 * are to see of a user's keys stands on the device-lists stream.
 */
export const keysStream = defineDurableStream<'keys', KeysRow>({
  name: 'keys',
  letter: 'k',
  owner: 'keys',
  tables: [
    { table: 'key_count_changes', column: 'stream_id' },
    { table: 'signature_changes', column: 'stream_id' },
  ],
  read: readKeysRows,
  wakes: (row) => [`user:${row.userId}`],
  invalidates: (row) =>
    row.kind === 'counts' ? [{ fact: 'one-time-keys', userId: row.userId, deviceId: row.deviceId }] : [],
});
