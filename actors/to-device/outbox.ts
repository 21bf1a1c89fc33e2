import type { WriteStep } from '../../db/kit/write-set.ts';
import { keepNewestOutbound, type NewOutbound } from '../../db/to-device/outbound-writer.ts';
import type { TroupeContext } from '../environment.ts';
import { createInboxChecks } from './inbox-checks.ts';

/** EDUs that wait for one server that does not take them, some more at times: the oldest make room. */
export const OUTBOUND_MESSAGES_MAX = 10_000;

/**
 * Says for which servers too much may wait.
 *
 * @returns a function that notes one EDU for each of the servers and gives the steps that leave each the newest alone, where that is due
 */
export function createOutboxChecks(): (outbound: readonly NewOutbound[]) => readonly WriteStep[] {
  const due = createInboxChecks();
  return (outbound) =>
    due(outbound.map(({ destination }) => ({ userId: destination, deviceId: '' }))).map(({ userId }) =>
      keepNewestOutbound(userId, OUTBOUND_MESSAGES_MAX),
    );
}

/** Tells the sender for which servers something is stored. */
export function tellSender(context: Pick<TroupeContext, 'ref'>, outbound: readonly NewOutbound[]): void {
  const destinations = [...new Set(outbound.map(({ destination }) => destination))];
  if (destinations.length === 0) return;
  const stored = { destinations, what: 'messages' } as const;
  context.ref('federation-sender').tell('federation-sender.note-stored', stored);
}
