import { storeReport } from '../../db/reports/writer.ts';
import { refuse } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import { defineActor } from '../environment.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { ReportSubject, ReportsProtocol } from './protocol.ts';

const MAILBOX_LIMIT = 1_000;
/** The longest reason, in bytes of UTF-8. */
export const REASON_BYTES_MAX = 4_096;

function columnsOf(subject: ReportSubject) {
  return {
    userId: subject.kind === 'user' ? subject.userId : '',
    roomId: subject.kind === 'user' ? '' : subject.roomId,
    eventId: subject.kind === 'event' ? subject.eventId : '',
    score: subject.kind === 'event' ? subject.score : null,
  };
}

/** Owner of what users have reported to the administrators. */
export const reportsActor = defineActor<ReportsProtocol>({
  name: 'reports',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  start(context) {
    return {
      handlers: {
        async 'reports.store'({ reporter, subject, reason }) {
          if (Buffer.byteLength(reason) > REASON_BYTES_MAX)
            return refuse('M_TOO_LARGE', `a reason has at most ${REASON_BYTES_MAX} bytes`, { status: 400 });
          const { kind } = subject;
          const report = { reporter, kind, ...columnsOf(subject), reason, now: context.clock.now() };
          const outcome = await commit(context, storeReport(report));
          if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
          if (outcome.kind === 'refused') throw new Error(`a report has no guard, yet ${outcome.refusal}`);
          context.log.info('something was reported', { kind, reporter });
          return { kind: 'stored' };
        },
      },
    };
  },
});
