import { Type } from 'typebox';
import { findDescription, findSeeker, mayKnowOf, STRANGER } from '../../../directory/room-discovery.ts';
import { toRoomSummary } from '../../../directory/room-summary.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findRoomId } from '../membership/find-room-id.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** What a room is, for who may want to join it. Who is not logged in, and guests, learn it of rooms that everybody may join or read. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/room_summary/{roomIdOrAlias}',
  aliases: [
    '/_matrix/client/unstable/im.nheko.summary/summary/{roomIdOrAlias}',
    '/_matrix/client/unstable/im.nheko.summary/rooms/{roomIdOrAlias}/summary',
  ],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/room_summary/{roomIdOrAlias}',
  auth: 'optional',
  allows: ['guest'],
  rateLimit: 'reading',
  params: Type.Object({ roomIdOrAlias: Type.String() }),
  query: Type.Object({ via: Type.Optional(Type.Array(Type.String())) }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'config'],
  async handle({ params, caller, services }) {
    if (caller === null && !services.config.rooms.directoryForEverybody)
      return refuse('M_MISSING_TOKEN', 'The directory is for users of this server.');
    const named = await findRoomId(services.db, params.roomIdOrAlias);
    if (isRefusal(named)) return named;
    const seeker = caller === null ? STRANGER : await findSeeker(services, caller);
    const room = await findDescription(services, named.roomId);
    // Nobody learns from the answer whether there is a room that is not for them.
    if (room === undefined || !mayKnowOf(seeker, room))
      return refuse('M_NOT_FOUND', 'There is no such room, or it is not for you.');
    const membership = seeker.memberships.get(room.roomId);
    const own = caller === null ? {} : { membership: membership ?? 'leave' };
    // The names of before this was part of the specification.
    const older = {
      'im.nheko.summary.version': room.version.id,
      'im.nheko.summary.room_version': room.version.id,
      ...(room.encryption !== null && { 'im.nheko.summary.encryption': room.encryption }),
    };
    return { ...toRoomSummary(room), ...own, ...older };
  },
});
