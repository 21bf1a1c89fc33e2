import { type LogPage, readLatestPage } from '../kit/page.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A row of the push-rules stream. */
export type PushRulesRow = {
  readonly userId: string;
};

type Range = { readonly from: number; readonly to: number; readonly limit: number };

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<Range, PushRulesRow & { readonly position: number }>({
  name: 'push-rules.read-stream-rows',
  sql: `
    SELECT stream_id AS position, user_id AS userId
      FROM push_rules
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** A page of the push-rules stream. */
export function readPushRuleRows(
  db: ReadDb,
  from: number,
  to: number,
  limit: number,
): Promise<LogPage<PushRulesRow>> {
  return readLatestPage(
    async (after, upTo, most) => {
      const rows = await db.all(readStreamRows, { from: after, to: upTo, limit: most });
      return rows.map(({ position, ...row }) => ({ position, row }));
    },
    from,
    to,
    limit,
  );
}
