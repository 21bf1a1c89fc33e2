import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING, ROOM_PARAMS } from '../rooms/room-params.ts';
import { BACKWARD_FIELDS, checkIsJoined, mayGoBackward, setFullyRead, setReceipt } from './mark-read.ts';

const RECEIPT_TYPES = ['m.read', 'm.read.private'] as const;

/** Moves the caller's markers of what was read, all that are given. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/rooms/{roomId}/read_markers',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/read_markers'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/rooms/{roomId}/read_markers',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'ephemeral',
  params: ROOM_PARAMS,
  body: Type.Object({
    'm.fully_read': Type.Optional(Type.String()),
    'm.read': Type.Optional(Type.String()),
    'm.read.private': Type.Optional(Type.String()),
    ...BACKWARD_FIELDS,
  }),
  reply: NOTHING,
  needs: ['db', 'receipts', 'account-data', 'streams'],
  async handle({ params, body, caller, services }) {
    const { roomId } = params;
    const { userId } = caller;
    const notJoined = await checkIsJoined(services.db, userId, roomId);
    if (notJoined !== undefined) return notJoined;
    const fullyRead = body['m.fully_read'];
    if (fullyRead !== undefined) {
      const refusal = await setFullyRead(services, userId, roomId, fullyRead, mayGoBackward(body));
      if (refusal !== undefined) return refusal;
    }
    for (const type of RECEIPT_TYPES) {
      const eventId = body[type];
      if (eventId === undefined) continue;
      const refusal = await setReceipt(services, { roomId, userId, type, eventId, threadId: null });
      if (refusal !== undefined) return refusal;
    }
    return {};
  },
});
