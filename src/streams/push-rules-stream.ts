import { type PushRulesRow, readPushRuleRows } from '../../db/push-rules/stream-reader.ts';
import { defineDurableStream } from './stream.ts';

/** Changes of push rules; owned by `push-rules`. */
export const pushRulesStream = defineDurableStream<'push-rules', PushRulesRow>({
  name: 'push-rules',
  letter: 'u',
  owner: 'push-rules',
  tables: [{ table: 'push_rules', column: 'stream_id' }],
  read: readPushRuleRows,
  wakes: (row) => [`user:${row.userId}`],
  invalidates: (row) => [{ fact: 'push-rules', userId: row.userId }],
});
