import { Type } from 'typebox';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT, NOTHING } from '../rooms/room-params.ts';

type Messages = Readonly<Record<string, Readonly<Record<string, JsonObject>>>>;

/** Sends messages to devices, `*` for every device of a user. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/sendToDevice/{eventType}/{txnId}',
  aliases: ['/_matrix/client/r0/sendToDevice/{eventType}/{txnId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}',
  auth: 'user',
  allows: ['guest', 'suspended'],
  rateLimit: 'message',
  params: Type.Object({ eventType: Type.String(), txnId: Type.String() }),
  body: Type.Object({ messages: Type.Record(Type.String(), Type.Record(Type.String(), ANY_OBJECT)) }),
  reply: NOTHING,
  needs: ['to-device', 'streams'],
  async handle({ params, body, caller, services }) {
    const stored = await services['to-device'].ask('to-device.send-messages', {
      sender: caller.userId,
      senderDevice: caller.deviceId,
      txnId: params.txnId,
      type: params.eventType,
      messages: body.messages as Messages,
    });
    if (isRefusal(stored)) return stored;
    await services.streams.reached('to-device', stored.position);
    return {};
  },
});
