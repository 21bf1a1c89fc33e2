import { Type } from 'typebox';
import { readCurrentState, type StateEntry } from '../../../../db/rooms/state-reader.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import { eventText, getClientEvent } from '../../../sync/event-text.ts';
import { listText } from '../../../sync/json-text.ts';
import { findEventsPosition } from '../../../sync/page-token.ts';
import { readStateAtPosition } from '../../../sync/room-state.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findRoomAccess, type RoomAccess } from './room-access.ts';
import { ANY_OBJECT, ROOM_PARAMS } from './room-params.ts';

const MEMBERSHIP = Type.Union([
  Type.Literal('join'),
  Type.Literal('invite'),
  Type.Literal('knock'),
  Type.Literal('leave'),
  Type.Literal('ban'),
]);

/** The state that the caller asks about: of a token, at the latest of the end of the caller's stay. */
async function readStateOf(
  services: ReadServices,
  roomId: string,
  access: RoomAccess,
  at: string | undefined,
): Promise<readonly StateEntry[] | Refusal> {
  const asked = at === undefined ? null : findEventsPosition(at);
  if (isRefusal(asked)) return asked;
  if (asked === null && access.to === null) return readCurrentState(services.db, roomId);
  const position = Math.min(asked ?? Number.MAX_SAFE_INTEGER, access.to ?? Number.MAX_SAFE_INTEGER);
  return readStateAtPosition(services, roomId, position);
}

/** The member events of a room. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/members',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/members'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/members',
  auth: 'user',
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  query: Type.Object({
    at: Type.Optional(Type.String()),
    membership: Type.Optional(MEMBERSHIP),
    not_membership: Type.Optional(MEMBERSHIP),
  }),
  reply: Type.Object({ chunk: Type.Array(ANY_OBJECT) }),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, query, caller, services }) {
    const { roomId } = params;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    const entries = await readStateOf(services, roomId, access, query.at);
    if (isRefusal(entries)) return entries;
    const { membership: wanted, not_membership: unwanted } = query;
    const texts: string[] = [];
    for (const { eventId } of entries.filter((entry) => entry.type === 'm.room.member')) {
      const event = await getClientEvent(services, eventId);
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
