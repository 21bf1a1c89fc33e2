import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { readMutualRoomIds } from '../../../../db/rooms/directory-reader.ts';
import { parseRoomId } from '../../../matrix/identifiers/room-id.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** Rooms of one answer. */
export const MUTUAL_ROOMS_PAGE_MAX = 100;

/** A page of rooms that two users are in. */
export interface MutualRooms {
  readonly kind: 'page';
  readonly joined: readonly string[];
  /** Of all pages. */
  readonly count: number;
  /** The token of the next page; null at the end. */
  readonly next: string | null;
}

function parseMark(from: string): string | undefined {
  const roomId = Buffer.from(from, 'base64url').toString();
  return parseRoomId(roomId);
}

/**
 * Reads a page of the rooms that a local user and somebody else are in, by room id: those that stay are seen once, whatever others do meanwhile.
 * Client-Server API v1.19, `GET /mutual_rooms`.
 *
 * @param from null for the first page
 * @returns refused with M_INVALID_PARAM for what is no user id, for the user's own, and for a wrong token
 */
export async function findMutualRooms(
  db: ReadDb,
  userId: string,
  otherUserId: string,
  from: string | null,
): Promise<MutualRooms | Refusal> {
  if (parseUserId(otherUserId) === undefined)
    return refuse('M_INVALID_PARAM', 'user_id: this is not a user id.');
  if (otherUserId === userId) return refuse('M_INVALID_PARAM', 'user_id: these are all of your own rooms.');
  const after = from === null ? '' : parseMark(from);
  if (after === undefined)
    return refuse('M_INVALID_PARAM', 'from: this is not a token that this server gave out.');
  const all = await readMutualRoomIds(db, userId, otherUserId);
  const rest = all.filter((roomId) => roomId > after);
  const joined = rest.slice(0, MUTUAL_ROOMS_PAGE_MAX);
  const last = rest.length > joined.length ? joined.at(-1) : undefined;
  const next = last === undefined ? null : Buffer.from(last).toString('base64url');
  return { kind: 'page', joined, count: all.length, next };
}
