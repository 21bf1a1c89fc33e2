import { type Static, Type } from 'typebox';
import { findEvent } from '../../../../db/rooms/event-reader.ts';
import { USER_SUSPENDED } from '../../../matrix/account-refusals.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

const UNSTABLE_RELATIONS = 'org.matrix.msc3912.with_relations';
/** Relation types in one request. */
const REL_TYPES_MAX = 20;

const RelTypes = Type.Union([
  Type.Literal('*'),
  Type.Array(Type.String({ minLength: 1 }), { maxItems: REL_TYPES_MAX }),
]);

const Body = Type.Object({
  reason: Type.Optional(Type.String()),
  with_rel_types: Type.Optional(RelTypes),
  [UNSTABLE_RELATIONS]: Type.Optional(RelTypes),
});

/** Which related events go as well: null for all that there are, none for an empty list. MSC3912. */
function relTypesOf(body: Static<typeof Body>): readonly string[] | null {
  const wanted = body[UNSTABLE_RELATIONS] ?? body.with_rel_types ?? [];
  return wanted === '*' || wanted.includes('*') ? null : [...new Set(wanted)];
}

/** Takes the content out of an event; and out of those that relate to it, by and by, where that is asked for (MSC3912). */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/redact/{eventId}/{txnId}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'message',
  params: Type.Object({ roomId: Type.String(), eventId: Type.String(), txnId: Type.String() }),
  body: Body,
  reply: Type.Object({ event_id: Type.String() }),
  needs: ['db', 'rooms', 'streams'],
  async handle({ params, body, caller, services }) {
    const { roomId, eventId, txnId } = params;
    const { userId: sender, deviceId } = caller;
    // Who is suspended may still take back what was their own.
    if (caller.isSuspended && (await findEvent(services.db, eventId))?.sender !== sender)
      return USER_SUSPENDED;
    const { with_rel_types: _stable, [UNSTABLE_RELATIONS]: _unstable, ...content } = body;
    const sent = await services.rooms.ask('rooms.redact-event', {
      roomId,
      sender,
      eventId,
      content,
      transaction: { deviceId, path: `/rooms/${roomId}/redact/${eventId}`, txnId },
    });
    if (isRefusal(sent)) return sent;
    const relTypes = relTypesOf(body);
    // Who is suspended takes back what was their own, one by one.
    if (!caller.isSuspended && relTypes?.length !== 0)
      services.rooms.tell('rooms.redact-many', {
        inRoom: roomId,
        sender,
        content,
        which: { kind: 'related', parentId: eventId, relTypes },
      });
    await services.streams.reached('events', sent.position);
    return { event_id: sent.eventId };
  },
});
