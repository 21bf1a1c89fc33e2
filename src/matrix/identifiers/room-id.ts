import { fitsInBytes, IDENTIFIER_BYTES_MAX } from './brand.ts';
import type { Brand } from './brand.ts';
import { parseServerName } from './server-name.ts';

/** `!opaque:domain`, or in room version 12 `!` and the reference hash of the create event. */
export type RoomId = Brand<'RoomId'>;

const HASH_ROOM_ID = /^![A-Za-z0-9_-]{43}$/;

/**
 * Reads a room id in either form. Which form a room must have is decided by its version, see `checkPduFormat`.
 * Appendices v1.19, "Room IDs".
 *
 * @returns the id itself, or undefined when the text is not one
 */
export function parseRoomId(text: string): RoomId | undefined {
  if (isHashRoomId(text)) return text as RoomId;
  if (text[0] !== '!' || !fitsInBytes(text, IDENTIFIER_BYTES_MAX) || text.includes('\0')) return undefined;
  if (!text.isWellFormed()) return undefined;
  const colon = text.indexOf(':');
  if (colon < 2 || parseServerName(text.slice(colon + 1)) === undefined) return undefined;
  return text as RoomId;
}

/** True for a room id of room version 12 and later, which has no domain. */
export function isHashRoomId(text: string): boolean {
  return HASH_ROOM_ID.test(text);
}

/** The room id that a create event of room version 12 makes. Room version 12, "Room IDs". */
export function roomIdOfCreateEvent(createEventId: string): RoomId {
  return `!${createEventId.slice(1)}` as RoomId;
}

/** The id of the create event of a room of version 12, read from the room's id. */
export function createEventIdOfRoom(roomId: string): string {
  return `$${roomId.slice(1)}`;
}
