import { Type } from 'typebox';
import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findRoomAccess } from '../rooms/room-access.ts';
import { ANY_OBJECT, ROOM_PARAMS } from '../rooms/room-params.ts';
import { refuseUnlessWhole } from '../rooms/whole-room.ts';
import {
  readAccountDataTexts,
  roomSnapshotText,
  SNAPSHOT_MESSAGES_DEFAULT,
  SNAPSHOT_MESSAGES_MAX,
} from './room-snapshot.ts';

/** Memberships that the answer knows words for. */
const TOLD_MEMBERSHIPS: ReadonlySet<string> = new Set(['invite', 'join', 'leave', 'ban']);

/** A room as it is, also for who looks into a world-readable one from outside. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/initialSync',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/initialSync'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/initialSync',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 0 })) }),
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, query, caller, services, aborted }) {
    const { roomId } = params;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    const refused = await refuseUnlessWhole(services, roomId, aborted);
    if (refused !== undefined) return refused;
    const own = await findLocalMembership(services.db, caller.userId, roomId);
    const accountData = await readAccountDataTexts(services, caller.userId);
    const text = await roomSnapshotText(services, caller, {
      access,
      membership: own !== undefined && TOLD_MEMBERSHIPS.has(own.membership) ? own.membership : null,
      accountData: accountData.get(roomId) ?? [],
      limit: Math.min(query.limit ?? SNAPSHOT_MESSAGES_DEFAULT, SNAPSHOT_MESSAGES_MAX),
    });
    return new JsonText(text);
  },
});
