import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

export const findPushRulesPositionQuery = defineQuery<
  { readonly userId: string },
  { readonly position: number | null }
>({
  name: 'push-rules.sync-position',
  sql: 'SELECT max(stream_id) AS position FROM push_rules WHERE user_id = :userId',
});

/** The position of a user's last change of push rules, on the push-rules stream; 0 when nothing was ever changed. */
export async function findPushRulesPosition(db: ReadDb, userId: string): Promise<number> {
  return (await db.find(findPushRulesPositionQuery, { userId }))?.position ?? 0;
}
