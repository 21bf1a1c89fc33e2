import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { parseEventId } from '../../../matrix/identifiers/event-id.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { BACKWARD_FIELDS, checkIsJoined, mayGoBackward, setFullyRead, setReceipt } from './mark-read.ts';

const RECEIPT_TYPE = Type.Union([
  Type.Literal('m.read'),
  Type.Literal('m.read.private'),
  Type.Literal('m.fully_read'),
]);

/** The thread of everything that is in no other. */
const MAIN_THREAD = 'main';

/** Says up to which event the caller has read. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/receipt/{receiptType}/{eventId}'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: Type.Object({ roomId: Type.String(), receiptType: RECEIPT_TYPE, eventId: Type.String() }),
  body: Type.Object({ thread_id: Type.Optional(Type.Unknown()), ...BACKWARD_FIELDS }),
  reply: NOTHING,
  needs: ['db', 'receipts', 'account-data', 'streams'],
  async handle({ params, body, caller, services }) {
    const { roomId, receiptType, eventId } = params;
    const { userId } = caller;
    const threadId = body.thread_id ?? null;
    const isThread = threadId === MAIN_THREAD || (typeof threadId === 'string' && parseEventId(threadId));
    if (threadId !== null && !isThread)
      return refuse('M_INVALID_PARAM', 'The field "thread_id" is neither "main" nor an event id.');
    if (threadId !== null && receiptType === 'm.fully_read')
      return refuse('M_INVALID_PARAM', 'The field "thread_id" does not go with m.fully_read.');
    const notJoined = await checkIsJoined(services.db, userId, roomId);
    if (notJoined !== undefined) return notJoined;
    const refusal =
      receiptType === 'm.fully_read'
        ? await setFullyRead(services, userId, roomId, eventId, mayGoBackward(body))
        : await setReceipt(services, {
            roomId,
            userId,
            type: receiptType,
            eventId,
            threadId: typeof threadId === 'string' ? threadId : null,
          });
    return refusal ?? {};
  },
});
