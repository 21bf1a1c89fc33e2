import { findReceiptEvent, findReceiptPlace } from '../../db/receipts/reader.ts';
import { forgetRoom, storeReceipt } from '../../db/receipts/writer.ts';
import { refuse } from '../../src/matrix/refusal.ts';
import { receiptsStream } from '../../src/streams/receipts-stream.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { FORGOTTEN_ROWS_MAX, forgetRows } from '../forget-rows.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { ReceiptsProtocol } from './protocol.ts';

type SetReceipt = InputOf<ReceiptsProtocol, 'receipts.set-receipt'>;
type ReceiveRemote = InputOf<ReceiptsProtocol, 'receipts.receive-remote'>;
type RemoteReply = OutputOf<ReceiptsProtocol, 'receipts.receive-remote'>;
type SetReceiptReply = OutputOf<ReceiptsProtocol, 'receipts.set-receipt'>;

const MAILBOX_LIMIT = 10_000;
/** Receipts of one user in one room that are handled before others get their turn. */
const TURN_BUDGET = 16;

/**
 * Owner of the receipts stream. Receipts of one user in one room are handled one after another, so that a later one never loses to
 * an earlier one.
 */
export const receiptsActor = defineActor<ReceiptsProtocol>({
  name: 'receipts',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key(_message, input) {
      return 'userId' in input ? `${input.roomId} ${input.userId}` : null;
    },
  },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, receiptsStream);

    async function store(input: SetReceipt, ts: number): Promise<SetReceiptReply> {
      const outcome = await owner.write({
        count: 1,
        steps: storeReceipt({ ...input, threadId: input.threadId ?? '', ts }),
        rows: () => [[{ ...input, ts }]],
      });
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
      if (outcome.kind === 'refused') return refuse('M_NOT_FOUND', `there is no room ${input.roomId}`);
      return { kind: 'stored', position: outcome.position ?? owner.currentToken() };
    }

    async function setReceipt(input: SetReceipt): Promise<SetReceiptReply> {
      const place = await findReceiptPlace(context.env.db, { ...input, threadId: input.threadId ?? '' });
      if (place === undefined)
        return refuse('M_NOT_FOUND', `event ${input.eventId} is not in ${input.roomId}`);
      if (!place.isForward) return { kind: 'stored', position: owner.currentToken() };
      const ts = context.clock.now();
      const stored = await store(input, ts);
      if (stored.kind === 'stored') tellOtherServers(context, input, ts);
      return stored;
    }

    async function receiveRemote(input: ReceiveRemote): Promise<RemoteReply> {
      const { ts, ...receipt } = { ...input, type: 'm.read' as const };
      const named = { ...receipt, threadId: input.threadId ?? '' };
      const place = await findReceiptPlace(context.env.db, named);
      if (place !== undefined && !place.isForward) return { kind: 'stored' };
      // An event that is not known may come yet: who says so knows the room, too. Said again, nothing is new.
      if (place === undefined && (await findReceiptEvent(context.env.db, named)) === input.eventId)
        return { kind: 'stored' };
      const stored = await store(receipt, ts);
      return stored.kind === 'stored' ? { kind: 'stored' } : stored;
    }

    return {
      handlers: {
        ...handlers,
        'receipts.set-receipt': setReceipt,
        'receipts.receive-remote': receiveRemote,
        // Nobody finds the room any more: what caches hold of it was dropped with it.
        'receipts.forget-room': ({ roomNid }) =>
          forgetRows(context, forgetRoom(roomNid, FORGOTTEN_ROWS_MAX), () => null),
      },
    };
  },
});

/** Public receipts go to the other servers of the room: Server-Server API v1.19, "Receipts". */
function tellOtherServers(context: TroupeContext, receipt: SetReceipt, ts: number): void {
  if (receipt.type !== 'm.read') return;
  const { roomId, userId, eventId, threadId } = receipt;
  const data = threadId === null ? { ts } : { ts, thread_id: threadId };
  const content = { [roomId]: { 'm.read': { [userId]: { data, event_ids: [eventId] } } } };
  context.ref('federation').tell('federation.queue-room-edu', {
    roomId,
    edu: { type: 'm.receipt', content, key: `${roomId} ${userId} ${threadId ?? ''}` },
  });
}
