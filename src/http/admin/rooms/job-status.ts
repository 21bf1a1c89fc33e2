import { Type } from 'typebox';
import type { RoomJob } from '../../../../actors/rooms/protocol.ts';

/** What tools are told of a deletion. */
export const DELETION_STATUS = Type.Object({
  delete_id: Type.String(),
  room_id: Type.String(),
  status: Type.Union([
    Type.Literal('scheduled'),
    Type.Literal('active'),
    Type.Literal('complete'),
    Type.Literal('failed'),
  ]),
  error: Type.Optional(Type.String()),
  shutdown_room: Type.Object({
    kicked_users: Type.Array(Type.String()),
    failed_to_kick_users: Type.Array(Type.String()),
    local_aliases: Type.Array(Type.String()),
    new_room_id: Type.Union([Type.String(), Type.Null()]),
  }),
});

/** What tools are told of a deletion, as it stands. */
export function toDeletionStatus(job: RoomJob) {
  const { id, roomId, state, error, removedUsers, notice } = job;
  return {
    delete_id: id,
    room_id: roomId,
    status: state,
    ...(error === null ? {} : { error }),
    shutdown_room: {
      kicked_users: [...removedUsers],
      // Whom the room does not let go is out of it here all the same.
      failed_to_kick_users: [],
      local_aliases: [...(notice?.aliases ?? [])],
      new_room_id: notice?.roomId ?? null,
    },
  };
}
