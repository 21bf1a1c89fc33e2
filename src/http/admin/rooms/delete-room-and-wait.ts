import { Type } from 'typebox';
import { readLocalMemberships } from '../../../../db/rooms/membership-reader.ts';
import { findRoom } from '../../../../db/rooms/room-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { DELETION_BODY, toDeletion } from './deletion-request.ts';
import { DELETION_STATUS } from './job-status.ts';

/** How long the end is waited for; the deletion goes on all the same. */
const WAIT_MS_MAX = 60 * 60 * 1000;

const PRESENT: ReadonlySet<string> = new Set(['join', 'invite', 'knock']);

/** Deletes a room, and answers when it is gone. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_synapse/admin/v1/rooms/{roomId}',
  spec: 'Room administration, as common administration tools use it',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ roomId: Type.String() }),
  body: DELETION_BODY,
  reply: DELETION_STATUS.properties.shutdown_room,
  needs: ['config', 'db', 'rooms'],
  async handle({ params, body, caller, services }) {
    const { roomId } = params;
    const { db, rooms } = services;
    if ((await findRoom(db, roomId)) === undefined)
      return refuse('M_NOT_FOUND', `There is no room ${roomId} that this server knows.`);
    const request = await toDeletion(services, roomId, body, caller.userId);
    if (isRefusal(request)) return request;
    const members = await readLocalMemberships(db, roomId);
    const deleted = await rooms.ask('rooms.delete-room', request, { deadlineMs: WAIT_MS_MAX });
    if (isRefusal(deleted)) return deleted;
    return {
      kicked_users: members.filter(({ membership }) => PRESENT.has(membership)).map(({ userId }) => userId),
      failed_to_kick_users: [],
      local_aliases: [...(request.notice?.aliases ?? [])],
      new_room_id: request.notice?.roomId ?? null,
    };
  },
});
