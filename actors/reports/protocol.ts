import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';

/** What a report is about. */
export type ReportSubject =
  | { readonly kind: 'room'; readonly roomId: string }
  | {
      readonly kind: 'event';
      readonly roomId: string;
      readonly eventId: string;
      /** From −100 (worst) to 0, as older clients say it; null: not said. */
      readonly score: number | null;
    }
  | { readonly kind: 'user'; readonly userId: string };

export type ReportsProtocol = {
  /**
   * Keeps a report for the administrators, in place of the same user's earlier one about the same thing. The caller has checked that it
   * exists. Refused with M_TOO_LARGE, or when storage cannot be written.
   */
  'reports.store': Ask<
    { readonly reporter: string; readonly subject: ReportSubject; readonly reason: string },
    { readonly kind: 'stored' } | Refusal
  >;
};
