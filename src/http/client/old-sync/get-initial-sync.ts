import { Type } from 'typebox';
import type { RoomOfUser } from '../../../../db/rooms/sync-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { formatToken } from '../../../streams/token.ts';
import { invitePermissionCache } from '../../../sync/caches/invite-permission.ts';
import { roomsOfUserCache } from '../../../sync/caches/rooms-of-user.ts';
import { eventText, findClientEvent } from '../../../sync/event-text.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { isRoomPartial } from '../../../sync/room-wholeness.ts';
import { makeTurnTaker } from '../../../sync/yield-turn.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findRoomAccess } from '../rooms/room-access.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import {
  readAccountDataTexts,
  roomSnapshotText,
  SNAPSHOT_MESSAGES_DEFAULT,
  SNAPSHOT_MESSAGES_MAX,
} from './room-snapshot.ts';

const PRESENT: ReadonlySet<string> = new Set(['join', 'invite']);
const ARCHIVED: ReadonlySet<string> = new Set(['leave', 'ban']);

async function invitedText(
  services: ReadServices,
  caller: SyncCaller,
  room: RoomOfUser,
): Promise<string | undefined> {
  const wanted = await services.cached.get(invitePermissionCache, caller.userId);
  if (wanted.verdictOf(room.sender) !== 'allow') return undefined;
  const invite = await findClientEvent(services, room.eventId);
  if (invite === undefined) return undefined;
  return objectText([
    ['room_id', JSON.stringify(room.roomId)],
    ['membership', '"invite"'],
    ['invite', await eventText(services, caller, invite, { includeRoomId: true })],
  ]);
}

async function roomText(
  services: ReadServices,
  caller: SyncCaller,
  room: RoomOfUser,
  given: { readonly accountData: readonly string[]; readonly limit: number },
): Promise<string | undefined> {
  if (room.membership === 'invite') return invitedText(services, caller, room);
  // It takes the state that it is given for all there is.
  if (await isRoomPartial(services, room.roomId)) return undefined;
  const access = await findRoomAccess(services, caller.userId, room.roomId);
  if (isRefusal(access)) return undefined;
  return roomSnapshotText(services, caller, { access, membership: room.membership, ...given });
}

/** All rooms of a user as they are: what clients asked before there was sync. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/initialSync',
  aliases: ['/_matrix/client/r0/initialSync'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/initialSync',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    archived: Type.Optional(Type.Boolean()),
  }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ query, caller, services }) {
    // Before anything is read: what comes meanwhile is told by /events, some of it for the second time.
    const end = formatToken(services.streams.now());
    const limit = Math.min(query.limit ?? SNAPSHOT_MESSAGES_DEFAULT, SNAPSHOT_MESSAGES_MAX);
    const accountData = await readAccountDataTexts(services, caller.userId);
    const giveWay = makeTurnTaker();
    const texts: string[] = [];
    for (const room of await services.cached.get(roomsOfUserCache, caller.userId)) {
      const isArchived = query.archived === true && ARCHIVED.has(room.membership) && !room.isForgotten;
      if (!PRESENT.has(room.membership) && !isArchived) continue;
      const given = { accountData: accountData.get(room.roomId) ?? [], limit };
      const text = await roomText(services, caller, room, given);
      if (text !== undefined) texts.push(text);
      await giveWay();
    }
    return new JsonText(
      objectText([
        ['end', JSON.stringify(end)],
        ['presence', '[]'],
        ['rooms', listText(texts)],
        ['account_data', listText(accountData.get(null) ?? [])],
      ]),
    );
  },
});
