import { type PushRow, readPushRows } from '../../db/push/stream-reader.ts';
import { defineDurableStream } from './stream.ts';

/** Whose pushers have something to look at; owned by `push`. Clients wait for none of it: what they are told counts events themselves. */
export const pushStream = defineDurableStream<'push', PushRow>({
  name: 'push',
  letter: null,
  owner: 'push',
  tables: [{ table: 'push_changes', column: 'stream_id' }],
  read: readPushRows,
  wakes: () => [],
  invalidates: () => [],
});
