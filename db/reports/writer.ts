import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** How many reports are kept; the oldest makes room. */
export const REPORTS_MAX = 100_000;

type ReportParams = {
  readonly reporter: string;
  readonly kind: string;
  readonly userId: string;
  readonly roomId: string;
  readonly eventId: string;
  readonly reason: string;
  readonly score: number | null;
  readonly now: number;
};

/** Stores a report as the newest one, in place of the same user's about the same thing. */
export const replaceReport = defineQuery<ReportParams>({
  name: 'reports.replace',
  sql: `
    INSERT OR REPLACE INTO reports (report_id, reporter, kind, user_id, room_id, event_id, reason, score, created_ts)
    VALUES ((SELECT coalesce(max(report_id), 0) + 1 FROM reports),
            :reporter, :kind, :userId, :roomId, :eventId, :reason, :score, :now)`,
});

/** Deletes what is older than the newest `keep`. */
export const deleteOldest = defineQuery<{ readonly keep: number }>({
  name: 'reports.delete-oldest',
  sql: 'DELETE FROM reports WHERE report_id <= (SELECT max(report_id) FROM reports) - :keep',
});

/** The steps that store a report and keep their number within {@link REPORTS_MAX}. Absent names are `''`. */
export function storeReport(report: ReportParams): WriteStep[] {
  return [step(replaceReport, report), step(deleteOldest, { keep: REPORTS_MAX })];
}
