import { fitsInBytes, IDENTIFIER_BYTES_MAX } from './brand.ts';
import type { Brand } from './brand.ts';
import { parseServerName } from './server-name.ts';

/** `#name:domain`. */
export type RoomAlias = Brand<'RoomAlias'>;

/**
 * Reads a room alias: any well-formed Unicode without colon and NUL, then a domain.
 * Appendices v1.19, "Room Aliases".
 *
 * @returns the alias itself, or undefined when the text is not one
 */
export function parseRoomAlias(text: string): RoomAlias | undefined {
  if (text[0] !== '#' || !fitsInBytes(text, IDENTIFIER_BYTES_MAX)) return undefined;
  if (text.includes('\0') || !text.isWellFormed()) return undefined;
  const colon = text.indexOf(':');
  if (colon < 2 || parseServerName(text.slice(colon + 1)) === undefined) return undefined;
  return text as RoomAlias;
}

/**
 * Makes an alias of `serverName` out of its localpart.
 *
 * @returns undefined when the name has a colon, a NUL or white space at its ends, is empty, or is too long
 */
export function makeRoomAlias(localpart: string, serverName: string): RoomAlias | undefined {
  if (localpart.includes(':') || localpart.trim() !== localpart) return undefined;
  return parseRoomAlias(`#${localpart}:${serverName}`);
}
