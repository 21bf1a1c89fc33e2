import { fitsInBytes, IDENTIFIER_BYTES_MAX } from './brand.ts';
import type { Brand } from './brand.ts';
import { parseServerName } from './server-name.ts';

/** `@localpart:domain`. */
export type UserId = Brand<'UserId'>;

const CURRENT_LOCALPART = /^[a-z0-9._=/+-]+$/;
const VISIBLE_ASCII_LOCALPART = /^[\x21-\x39\x3b-\x7e]*$/;

function splitUserId(text: string): { readonly localpart: string; readonly domain: string } | undefined {
  if (text[0] !== '@' || !fitsInBytes(text, IDENTIFIER_BYTES_MAX)) return undefined;
  const colon = text.indexOf(':');
  if (colon === -1) return undefined;
  const domain = text.slice(colon + 1);
  return parseServerName(domain) === undefined ? undefined : { localpart: text.slice(1, colon), domain };
}

/**
 * Reads a user id as it may come from other servers and old rooms: any localpart of well-formed Unicode without colon and NUL, even
 * the empty one.
 * Appendices v1.19, "User Identifiers", "Historical User IDs".
 *
 * @returns the id itself, or undefined when the text is not one
 */
export function parseUserId(text: string): UserId | undefined {
  const parts = splitUserId(text);
  if (parts === undefined || parts.localpart.includes('\0') || !parts.localpart.isWellFormed())
    return undefined;
  return text as UserId;
}

/**
 * True when a user id, historical or not, has only visible ASCII in its localpart: others must not be forwarded outside of events.
 * Appendices v1.19, "Historical User IDs".
 */
export function isForwardableUserId(userId: UserId): boolean {
  return VISIBLE_ASCII_LOCALPART.test(localpartOf(userId));
}

/** True for a localpart that a new user of ours may have: `a-z 0-9 . _ = - / +`, at least one of them. */
export function isNewLocalpart(localpart: string): boolean {
  return CURRENT_LOCALPART.test(localpart);
}

/**
 * Makes the id of a new user of `serverName`, by the strict grammar.
 *
 * @returns undefined when the localpart is not allowed for new users, or the id would be longer than 255 bytes
 */
export function makeUserId(localpart: string, serverName: string): UserId | undefined {
  if (!isNewLocalpart(localpart)) return undefined;
  return parseUserId(`@${localpart}:${serverName}`);
}

/** The localpart of a user id, room alias or room id: what is between the sigil and the first colon. */
export function localpartOf(id: string): string {
  const colon = id.indexOf(':');
  return colon === -1 ? id.slice(1) : id.slice(1, colon);
}
