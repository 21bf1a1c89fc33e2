import { defineActor } from '../environment.ts';
import { createBackfill } from './backfill.ts';
import { fetchEvent } from './fetch-event.ts';
import type { FederationReceiverProtocol } from './protocol.ts';
import { receiveSingle } from './receive-single.ts';
import { createTransactionReceiver } from './receive-transaction.ts';
import { openReceiverDesk } from './receiver-desk.ts';
import { openWaitingEvents } from './waiting-events.ts';

const MAILBOX_LIMIT = 10_000;

/**
 * Takes in what other servers send, and fetches what is missing for it. It decides nothing about events: `rooms` does; and owns nothing
 * but the answers that it gave, and the events whose place is not known yet.
 */
export const federationReceiverActor = defineActor<FederationReceiverProtocol>({
  name: 'federation-receiver',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  async start(context) {
    const desk = openReceiverDesk(context);
    const waiting = await openWaitingEvents(context, desk);
    const receiveTransaction = createTransactionReceiver(context, desk, waiting);
    const backfill = createBackfill(desk, context.clock);
    return {
      handlers: {
        'federation-receiver.receive-transaction': receiveTransaction,
        'federation-receiver.receive-event': (input) => receiveSingle(desk, input),
        'federation-receiver.backfill': backfill,
        'federation-receiver.fetch-event': (input) => fetchEvent(desk, input),
      },
      stop: () => waiting.close(),
    };
  },
});
