import { Type } from 'typebox';
import type { DeletionRequest, RoomNotice } from '../../../../actors/rooms/protocol.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';
import { makeNoticeRoom } from './notice-room.ts';

/** The body of a deletion. `force_purge` changes nothing: whom the room does not let go is left out of it in any case. */
export const DELETION_BODY = Type.Object({
  block: Type.Optional(Type.Boolean()),
  purge: Type.Optional(Type.Boolean()),
  force_purge: Type.Optional(Type.Boolean()),
  message: Type.Optional(Type.String()),
  new_room_user_id: Type.Optional(Type.String()),
  room_name: Type.Optional(Type.String()),
});

interface DeletionBody {
  readonly block?: boolean;
  readonly purge?: boolean;
  readonly message?: string;
  readonly new_room_user_id?: string;
  readonly room_name?: string;
}

/** What is asked of the owner of rooms. A notice room is made first, while it is known who is in the room. */
export async function toDeletion(
  services: Pick<Services, 'config' | 'db' | 'rooms'>,
  roomId: string,
  body: DeletionBody,
  requestedBy: string,
): Promise<DeletionRequest | Refusal> {
  const { block = false, purge = true, new_room_user_id: userId, room_name: name, message } = body;
  const request = { roomId, isBlocked: block, requestedBy, keepsRoom: !purge };
  if (userId === undefined) return request;
  const notice: RoomNotice | Refusal = await makeNoticeRoom(services, roomId, {
    userId,
    name,
    message,
    requestedBy,
  });
  return isRefusal(notice) ? notice : { ...request, notice };
}
