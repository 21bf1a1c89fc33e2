import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What a user has told the administrators. */
export interface Report {
  /** Grows from report to report. */
  readonly reportId: number;
  readonly reporter: string;
  readonly kind: 'room' | 'event' | 'user';
  /** The reported user; null where it is a room or an event. */
  readonly userId: string | null;
  /** The reported room, or that of the event; null where it is a user. */
  readonly roomId: string | null;
  readonly eventId: string | null;
  readonly reason: string;
  /** From −100 (worst) to 0; null: not said. */
  readonly score: number | null;
  /** Milliseconds since the Unix epoch. */
  readonly createdTs: number;
}

export const reportsBefore = defineQuery<{ readonly before: number; readonly limit: number }, Report>({
  name: 'reports.read-before',
  sql: `
    SELECT report_id AS reportId, reporter, kind, nullif(user_id, '') AS userId, nullif(room_id, '') AS roomId,
           nullif(event_id, '') AS eventId, reason, score, created_ts AS createdTs
      FROM reports
     WHERE report_id < :before
     ORDER BY report_id DESC LIMIT :limit`,
});

/**
 * The newest reports first.
 *
 * @param before only those with a smaller id; null for the newest of all
 * @param limit at most so many
 */
export function readReports(db: ReadDb, before: number | null, limit: number): Promise<Report[]> {
  return db.all(reportsBefore, { before: before ?? Number.MAX_SAFE_INTEGER, limit });
}
