import { Type } from 'typebox';
import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { toClientEvent } from '../../../matrix/events/client-event.ts';
import type { Pdu } from '../../../matrix/events/pdu.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import { getRoomVersion } from '../../../matrix/rooms/room-versions.ts';
import { erasedUserCache } from '../../../sync/caches/erased-users.ts';
import { roomLevelsCache } from '../../../sync/push/push-room.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findVisibleEvent, type VisibleEvent } from './find-visible-event.ts';
import { historyTexts, readViewer } from './history.ts';
import { ANY_OBJECT } from './room-params.ts';

const UNREDACTED = 'fi.mau.msc2815.include_unredacted_content';

/**
 * What a redacted event said, for who may redact the events of others in its room: they have to know what was done away with. What was written
 * by somebody whose account is erased is nobody's to see any more. MSC2815.
 *
 * @returns undefined where there is nothing but what everybody sees; refused with 403 M_FORBIDDEN
 */
async function readUnredacted(
  services: ReadServices,
  userId: string,
  { stored, standing, membership }: VisibleEvent,
): Promise<JsonObject | undefined | Refusal> {
  const { roomId, roomVersion, eventId, redactedBy, sender } = stored;
  const levels = await services.cached.get(roomLevelsCache, roomId);
  const level = levels?.ofUser(userId) ?? 0;
  const needed = Math.max(
    levels?.redact ?? Infinity,
    levels?.forEvent('m.room.redaction', false) ?? Infinity,
  );
  const own = await findLocalMembership(services.db, standing.userId, roomId);
  if (own?.membership !== 'join' || level < needed)
    return refuse('M_FORBIDDEN', 'To see what was redacted takes the right to redact.');
  if (redactedBy === null || (await services.cached.get(erasedUserCache, sender)) !== null) return undefined;
  const ageMs = Math.max(0, services.clock.now() - stored.originServerTs);
  const pdu = JSON.parse(stored.pdu) as Pdu;
  return toClientEvent(getRoomVersion(roomVersion), eventId, roomId, pdu, {
    includeRoomId: true,
    ageMs,
    membership,
  });
}

/** One event, if the caller may see it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/event/{eventId}',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/event/{eventId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: Type.Object({ roomId: Type.String(), eventId: Type.String() }),
  query: Type.Object({ [UNREDACTED]: Type.Optional(Type.Boolean()) }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, query, caller, services }) {
    const found = await findVisibleEvent(services, caller.userId, params.roomId, params.eventId);
    if (found === undefined) return refuse('M_NOT_FOUND', 'There is no such event, or you may not see it.');
    if (query[UNREDACTED] === true) {
      const unredacted = await readUnredacted(services, caller.userId, found);
      if (unredacted !== undefined) return unredacted;
    }
    const viewer = await readViewer(services, caller, found.standing);
    const [text = 'null'] = await historyTexts(services, viewer, [found]);
    return new JsonText(text);
  },
});
