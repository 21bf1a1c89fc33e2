import { Type } from 'typebox';
import { readMembers } from '../../../../db/rooms/member-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import { findClientEvent } from '../../../sync/event-text.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findRoomAccess, notInRoom } from './room-access.ts';
import { ROOM_PARAMS } from './room-params.ts';
import { refuseUnlessWhole } from './whole-room.ts';

interface JoinedMember {
  readonly display_name?: string;
  readonly avatar_url?: string;
}

/** Who has joined a room, with the names that they have there. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/rooms/{roomId}/joined_members',
  aliases: ['/_matrix/client/r0/rooms/{roomId}/joined_members'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/rooms/{roomId}/joined_members',
  auth: 'user',
  rateLimit: 'reading',
  params: ROOM_PARAMS,
  reply: Type.Object({
    joined: Type.Record(
      Type.String(),
      Type.Object({ display_name: Type.Optional(Type.String()), avatar_url: Type.Optional(Type.String()) }),
    ),
  }),
  needs: ['db', 'cached', 'streams', 'clock'],
  async handle({ params, caller, services, aborted }) {
    const { roomId } = params;
    const access = await findRoomAccess(services, caller.userId, roomId);
    if (isRefusal(access)) return access;
    if (access.stateAt !== null) return notInRoom();
    const refused = await refuseUnlessWhole(services, roomId, aborted);
    if (refused !== undefined) return refused;
    const joined: Record<string, JoinedMember> = {};
    for (const { userId, eventId } of await readMembers(services.db, roomId, 'join')) {
      const event = await findClientEvent(services, eventId);
      // The room may be deleted meanwhile.
      if (event === undefined) continue;
      const { displayname, avatar_url: avatarUrl } = event.content;
      joined[userId] = {
        ...(typeof displayname === 'string' ? { display_name: displayname } : {}),
        ...(typeof avatarUrl === 'string' ? { avatar_url: avatarUrl } : {}),
      };
    }
    return { joined };
  },
});
