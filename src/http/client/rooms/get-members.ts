import { Type } from 'typebox';
import { readCurrentState, type StateEntry } from '../../../../db/rooms/state-reader.ts';
import { readTimelineEntries } from '../../../../db/rooms/sync-reader.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { eventText, findClientEvent } from '../../../sync/event-text.ts';
import { listText } from '../../../sync/json-text.ts';
import { findEventsPosition } from '../../../sync/page-token.ts';
import { readStateAtPosition } from '../../../sync/room-state.ts';
import { BEGINNING } from '../../../sync/sync-range.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { makeHistoryCheck } from '../../../sync/visibility.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findRoomAccess, type RoomAccess } from './room-access.ts';
import { ANY_OBJECT, ROOM_PARAMS } from './room-params.ts';
import { refuseUnlessWhole } from './whole-room.ts';

const MEMBERSHIP = Type.Union([
  Type.Literal('join'),
  Type.Literal('invite'),
  Type.Literal('knock'),
  Type.Literal('leave'),
  Type.Literal('ban'),
]);

/** True when the caller may see the room's last event by then, and so what the room was like; also of a room that had none by then. */
async function mayKnowRoomAt(
  services: ReadServices,
  roomId: string,
  access: RoomAccess,
  position: number,
): Promise<boolean> {
  const [last] = await readTimelineEntries(services.db, roomId, BEGINNING, position, 1);
  if (last === undefined) return true;
  const event = await findClientEvent(services, last.eventId);
  return event !== undefined && (await makeHistoryCheck(services, access.standing)(last, event)).isVisible;
}

/**
 * The state that the caller asks about: of a token, at the latest of the end of the caller's stay. Refused with 403 M_FORBIDDEN where the
 * history of that time is not for the caller.
 */
async function readStateOf(
  services: ReadServices,
  roomId: string,
  access: RoomAccess,
  at: string | undefined,
): Promise<readonly StateEntry[] | Refusal> {
  const asked = at === undefined ? null : findEventsPosition(at);
  if (isRefusal(asked)) return asked;
  const { stateAt } = access;
  if (asked === null)
    return stateAt === null
      ? readCurrentState(services.db, roomId)
      : readStateAtPosition(services, roomId, stateAt);
  const position = Math.min(asked, stateAt ?? Number.MAX_SAFE_INTEGER);
  if (await mayKnowRoomAt(services, roomId, access, position))
    return readStateAtPosition(services, roomId, position);
  return refuse('M_FORBIDDEN', 'What the room was like then is not for you.');
}

/** The member events of a room. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/members',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/members'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/members',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  query: Type.Object({
    at: Type.Optional(Type.String()),
    membership: Type.Optional(MEMBERSHIP),
    not_membership: Type.Optional(MEMBERSHIP),
  }),
  reply: Type.Object({ chunk: Type.Array(ANY_OBJECT) }),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, query, caller, services, aborted }) {
    const { roomId } = params;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    const refused = await refuseUnlessWhole(services, roomId, aborted);
    if (refused !== undefined) return refused;
    const entries = await readStateOf(services, roomId, access, query.at);
    if (isRefusal(entries)) return entries;
    const { membership: wanted, not_membership: unwanted } = query;
    const texts: string[] = [];
    for (const { eventId } of entries.filter((entry) => entry.type === 'm.room.member')) {
      const event = await findClientEvent(services, eventId);
      // The room may be deleted meanwhile.
      if (event === undefined) continue;
      // Each of the two lets through what it names; with both, what either lets through. Without any, everything.
      const isWanted = wanted === undefined && unwanted === undefined;
      const isNamed = wanted !== undefined && event.membership === wanted;
      const isOther = unwanted !== undefined && event.membership !== unwanted;
      if (isWanted || isNamed || isOther)
        texts.push(await eventText(services, caller, event, { includeRoomId: true }));
    }
    return new JsonText(`{"chunk":${listText(texts)}}`);
  },
});
