import type { Json, JsonObject } from '../kit/json.ts';
import { parseRoomId } from '../matrix/identifiers/room-id.ts';

const TEXTS = [
  'name',
  'topic',
  'canonical_alias',
  'avatar_url',
  'join_rule',
  'room_type',
  'encryption',
] as const;

/** The longest text that another server may say of a room, in UTF-16 units. */
const TEXT_LENGTH_MAX = 32_768;
/** Rooms that a join rule names and that are looked at. */
const ALLOWED_ROOMS_MAX = 100;

function textsOf(room: JsonObject): JsonObject {
  return Object.fromEntries(
    TEXTS.flatMap((name) => {
      const text = room[name];
      return typeof text === 'string' && text.length <= TEXT_LENGTH_MAX ? [[name, text] as const] : [];
    }),
  );
}

function versionOf(room: JsonObject): JsonObject {
  const version = room['room_version'] ?? room['im.nheko.summary.room_version'];
  return typeof version === 'string' ? { room_version: version } : {};
}

/** The room that a checked summary is about. */
export function roomIdOf(summary: JsonObject): string {
  const { room_id: roomId } = summary;
  return typeof roomId === 'string' ? roomId : '';
}

/** The rooms whose members may join, as a summary says. */
export function allowedRoomIdsOf(room: JsonObject): readonly string[] {
  const allowed = room['allowed_room_ids'];
  if (!Array.isArray(allowed)) return [];
  return (allowed as readonly Json[])
    .filter((roomId): roomId is string => typeof roomId === 'string' && parseRoomId(roomId) !== undefined)
    .slice(0, ALLOWED_ROOMS_MAX);
}

/**
 * Reads what another server says of a room: of that only what the specification names, and in the right form.
 * Server-Server API v1.19, `PublishedRoomsChunk`, `RoomSummary`.
 *
 * @returns undefined when it is no such summary
 */
export function parseRoomChunk(room: JsonObject): JsonObject | undefined {
  const { room_id: roomId, num_joined_members: joined } = room;
  if (typeof roomId !== 'string' || parseRoomId(roomId) === undefined) return undefined;
  if (typeof joined !== 'number' || !Number.isSafeInteger(joined) || joined < 0) return undefined;
  const allowed = allowedRoomIdsOf(room);
  return {
    room_id: roomId,
    num_joined_members: joined,
    world_readable: room['world_readable'] === true,
    guest_can_join: room['guest_can_join'] === true,
    ...textsOf(room),
    ...versionOf(room),
    ...(allowed.length > 0 && { allowed_room_ids: allowed }),
  };
}
