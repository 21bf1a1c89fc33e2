import { Type } from 'typebox';
import { isJsonObject } from '../../../kit/json.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { PDU_BYTES_MAX } from '../../../matrix/events/pdu.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';

/** Server-Server API v1.19, "Transactions". */
export const PDUS_PER_TRANSACTION_MAX = 50;
/** Server-Server API v1.19, "Transactions". */
export const EDUS_PER_TRANSACTION_MAX = 100;
/** What an EDU may take on average, in bytes: those for devices are the largest. */
const EDU_BYTES = 65_536;
/** The longest id of a transaction, in characters. */
const TXN_ID_LENGTH_MAX = 255;
/** The largest transaction, in bytes: events are sent with more than their canonical form, such as `unsigned`. */
export const TRANSACTION_BYTES_MAX =
  2 * PDUS_PER_TRANSACTION_MAX * PDU_BYTES_MAX + EDUS_PER_TRANSACTION_MAX * EDU_BYTES;
/** How long a transaction is worked on before its sender is told to come again, in milliseconds: then it gets the answer that there is. */
const TRANSACTION_DEADLINE_MS = 180_000;

const LIST = Type.Array(Type.Unknown());

/** Events and EDUs of another server. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/federation/v1/send/{txnId}',
  spec: 'Server-Server API v1.19, PUT /_matrix/federation/v1/send/{txnId}',
  auth: 'server',
  rateLimit: null,
  bodyBytesMax: TRANSACTION_BYTES_MAX,
  params: Type.Object({ txnId: Type.String({ maxLength: TXN_ID_LENGTH_MAX }) }),
  body: Type.Object({
    origin: Type.Optional(Type.String()),
    pdus: Type.Optional(LIST),
    edus: Type.Optional(LIST),
  }),
  reply: Type.Object({
    pdus: Type.Record(Type.String(), Type.Object({ error: Type.Optional(Type.String()) })),
  }),
  needs: ['federation-receiver'],
  async handle({ params, body, caller, services }) {
    const { pdus = [], edus = [] } = body;
    if (pdus.length > PDUS_PER_TRANSACTION_MAX)
      return refuse('M_TOO_LARGE', `a transaction has at most ${PDUS_PER_TRANSACTION_MAX} pdus`);
    if (edus.length > EDUS_PER_TRANSACTION_MAX)
      return refuse('M_TOO_LARGE', `a transaction has at most ${EDUS_PER_TRANSACTION_MAX} edus`);
    const answer = await services['federation-receiver'].ask(
      'federation-receiver.receive-transaction',
      {
        origin: caller.serverName,
        txnId: params.txnId,
        // What is no object harms no other: it has no id to answer for.
        pdus: pdus.filter(isJsonObject),
        edus: edus.filter(isJsonObject),
      },
      { deadlineMs: TRANSACTION_DEADLINE_MS },
    );
    return answer.kind === 'refused' ? answer : reply(200, { pdus: answer.pdus });
  },
});
