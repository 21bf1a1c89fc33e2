import { Type } from 'typebox';
import type { EventProposal, Sent } from '../../../../actors/rooms/protocol.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import type { Services } from '../../kit/services.ts';
import { isOfOtherServer } from '../membership/change-elsewhere.ts';
import { checkGuestAccess } from '../membership/guest-access.ts';
import { REMOTE_DEADLINE_MS } from '../membership/remote-deadline.ts';
import { refuseRejection } from '../membership/notice-rooms.ts';
import { DELAY_QUERY, delayOf } from '../delayed-events/delay-param.ts';
import { scheduleEvent } from '../delayed-events/schedule-event.ts';
import { ANY_OBJECT } from './room-params.ts';

/** An invite of another server's user is that server's to sign as well. */
function send(
  services: Pick<Services, 'config' | 'remote-rooms' | 'rooms'>,
  roomId: string,
  sender: string,
  event: EventProposal & { readonly stateKey: string },
): Promise<Sent | Refusal> {
  const { type, stateKey: target, content } = event;
  const isInvite = type === 'm.room.member' && content['membership'] === 'invite';
  if (!isInvite || !isOfOtherServer(target, services.config.server.name))
    return services.rooms.ask('rooms.send-event', {
      roomId,
      sender,
      event,
      transaction: null,
      originServerTs: null,
    });
  const invite = { roomId, sender, target, content };
  return services['remote-rooms'].ask('remote-rooms.invite', invite, { deadlineMs: REMOTE_DEADLINE_MS });
}

/** Sets an entry of a room's state, now or later (MSC4140); member events among them are held to the rules of the membership endpoints. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey?}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/state/{eventType}/{stateKey?}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'message',
  params: Type.Object({ roomId: Type.String(), eventType: Type.String(), stateKey: Type.String() }),
  query: Type.Object({ ...DELAY_QUERY }),
  body: ANY_OBJECT,
  reply: Type.Union([Type.Object({ event_id: Type.String() }), Type.Object({ delay_id: Type.String() })]),
  needs: ['config', 'db', 'delayed-events', 'remote-rooms', 'rooms', 'streams'],
  async handle({ params, query, body, caller, services }) {
    const { roomId, eventType: type, stateKey } = params;
    const event = { type, stateKey, content: body as JsonObject };
    const delayMs = delayOf(query);
    if (isRefusal(delayMs)) return delayMs;
    if (delayMs !== null)
      return scheduleEvent(services, { caller, roomId, event, delayMs, form: 'query', transaction: null });
    if (caller.isGuest && type === 'm.room.member') {
      const refused = await checkGuestAccess(services.db, roomId);
      if (refused !== undefined) return refused;
    }
    const isOwnLeave =
      type === 'm.room.member' && stateKey === caller.userId && body['membership'] === 'leave';
    const kept = isOwnLeave ? await refuseRejection(services, caller.userId, roomId) : undefined;
    if (kept !== undefined) return kept;
    const sent = await send(services, roomId, caller.userId, event);
    if (isRefusal(sent)) return sent;
    await services.streams.reached('events', sent.position);
    return { event_id: sent.eventId };
  },
});
