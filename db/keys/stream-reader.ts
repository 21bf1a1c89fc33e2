import { type LogPage, readLatestPage } from '../kit/page.ts';
import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A row of the keys stream. */
export type KeysRow =
  /** What the server holds of a device's one-time and fallback keys changed. */
  | { readonly kind: 'counts'; readonly userId: string; readonly deviceId: string }
  /** A user signed keys of another one, or keys of its own: for the devices of that user alone. */
  | { readonly kind: 'signed'; readonly userId: string; readonly targetUserId: string };

type Range = { readonly from: number; readonly to: number; readonly limit: number };

/** Rows by position, ascending. */
export const readStreamRows = defineQuery<
  Range,
  {
    readonly position: number;
    readonly kind: KeysRow['kind'];
    readonly userId: string;
    readonly about: string;
  }
>({
  name: 'keys.read-stream-rows',
  sql: `
    SELECT stream_id AS position, 'counts' AS kind, user_id AS userId, device_id AS about
      FROM key_count_changes
     WHERE stream_id > :from AND stream_id <= :to
    UNION ALL
    SELECT stream_id AS position, 'signed' AS kind, user_id AS userId, target_user_id AS about
      FROM signature_changes
     WHERE stream_id > :from AND stream_id <= :to
     ORDER BY position LIMIT :limit`,
});

/** A page of the keys stream. */
export function readKeysRows(db: ReadDb, from: number, to: number, limit: number): Promise<LogPage<KeysRow>> {
  return readLatestPage(
    async (after, upTo, most) => {
      const rows = await db.all(readStreamRows, { from: after, to: upTo, limit: most });
      return rows.map(({ position, kind, userId, about }) => ({
        position,
        row: kind === 'counts' ? { kind, userId, deviceId: about } : { kind, userId, targetUserId: about },
      }));
    },
    from,
    to,
    limit,
  );
}
