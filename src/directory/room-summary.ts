import type { JsonObject } from '../kit/json.ts';
import type { RoomDescription } from './caches/room-description.ts';

function given(fields: Readonly<Record<string, string | null>>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}

/** What the public directory says of a room. Client-Server API v1.19, `GET /publicRooms`, `PublishedRoomsChunk`. */
export function toPublishedRoom(room: RoomDescription): JsonObject {
  return {
    room_id: room.roomId,
    num_joined_members: room.joined,
    world_readable: room.isWorldReadable,
    guest_can_join: room.guestsCanJoin,
    join_rule: room.joinRule,
    ...given({
      name: room.name,
      topic: room.topic,
      canonical_alias: room.canonicalAlias,
      avatar_url: room.avatarUrl,
      room_type: room.roomType,
    }),
  };
}

/** The summary of a room. Client-Server API v1.19, `GET /room_summary/{roomIdOrAlias}`, `RoomSummary`. */
export function toRoomSummary(room: RoomDescription): JsonObject {
  return {
    ...toPublishedRoom(room),
    room_version: room.version.id,
    ...given({ encryption: room.encryption }),
    ...(room.allowedRoomIds.length > 0 && { allowed_room_ids: room.allowedRoomIds }),
  };
}
