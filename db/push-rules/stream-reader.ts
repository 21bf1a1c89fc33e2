import { defineQuery } from '../kit/query.ts';
import { latestRowsReader, type StreamRange } from '../kit/stream-rows.ts';

/** A row of the push-rules stream. */
export type PushRulesRow = {
  readonly userId: string;
};

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<StreamRange, PushRulesRow & { readonly position: number }>({
  name: 'push-rules.read-stream-rows',
  sql: `
    SELECT stream_id AS position, user_id AS userId
      FROM push_rules
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** A page of the push-rules stream. */
export const readPushRuleRows = latestRowsReader(readStreamRows);
