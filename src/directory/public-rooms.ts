import type { JsonObject } from '../kit/json.ts';
import { toSearchable } from '../kit/searchable-text.ts';
import { type Refusal, refuse } from '../matrix/refusal.ts';
import type { ReadServices } from '../sync/sync-services.ts';
import { makeTurnTaker } from '../sync/yield-turn.ts';
import { ALL_PUBLIC_ROOMS, publicRoomsCache } from './caches/public-rooms.ts';
import { type RoomDescription, roomDescriptionCache } from './caches/room-description.ts';
import { toPublishedRoom } from './room-summary.ts';

/** Rooms of one answer. */
export const PUBLIC_ROOMS_PAGE_MAX = 500;
const PUBLIC_ROOMS_PAGE_DEFAULT = 100;

/** A place in the directory: beside a room of that size. */
interface Place {
  readonly direction: 'next' | 'previous';
  readonly joined: number;
  readonly roomId: string;
}

/** Which rooms of the directory are wanted. */
export interface PublicRoomsRequest {
  /** A text that name, topic or canonical alias contain; null for any. */
  readonly searchTerm: string | null;
  /** Types of rooms, null for those without one; null for all rooms. */
  readonly roomTypes: readonly (string | null)[] | null;
  /** 0 when the client does not say. */
  readonly limit: number;
  /** A token of an earlier answer; null for the beginning. */
  readonly since: string | null;
}

/** A page of the directory. Client-Server API v1.19, `GET /publicRooms`. */
export interface PublicRoomsPage {
  readonly kind: 'page';
  readonly chunk: readonly JsonObject[];
  readonly next_batch?: string;
  readonly prev_batch?: string;
  /** Of all rooms of the directory, whatever the request looks for. */
  readonly total_room_count_estimate: number;
}

const TOKEN = /^([np])([0-9]{1,15})_(!.{1,254})$/su;

function formatPlace(direction: Place['direction'], room: RoomDescription): string {
  return Buffer.from(`${direction === 'next' ? 'n' : 'p'}${room.joined}_${room.roomId}`).toString(
    'base64url',
  );
}

function parsePlace(token: string): Place | Refusal {
  const [, letter, joined, roomId] = TOKEN.exec(Buffer.from(token, 'base64url').toString()) ?? [];
  if (letter === undefined || joined === undefined || roomId === undefined)
    return refuse('M_INVALID_PARAM', 'since: this is not a token that this server gave out.');
  return { direction: letter === 'n' ? 'next' : 'previous', joined: Number(joined), roomId };
}

type Ordered = Pick<RoomDescription, 'joined' | 'roomId'>;

/** Large rooms first, and among rooms of one size by id: a room keeps its place between two others that do not grow or shrink. */
function compare(one: Ordered, other: Ordered): number {
  if (one.joined !== other.joined) return other.joined - one.joined;
  return one.roomId < other.roomId ? -1 : one.roomId === other.roomId ? 0 : 1;
}

/** All rooms of the directory that somebody is in. The first call of a thread reads each of them, giving way to others meanwhile. */
async function readListed(services: Pick<ReadServices, 'cached'>): Promise<readonly RoomDescription[]> {
  const { cached } = services;
  const giveWay = makeTurnTaker();
  const rooms: RoomDescription[] = [];
  for (const roomId of await cached.get(publicRoomsCache, ALL_PUBLIC_ROOMS)) {
    let room = cached.peek(roomDescriptionCache, roomId);
    if (room === undefined) {
      room = await cached.get(roomDescriptionCache, roomId);
      await giveWay();
    }
    if (room !== null && room.joined > 0) rooms.push(room);
  }
  return rooms;
}

/**
 * Reads a page of the directory. A room that changes its size while somebody pages may be seen twice or not at all; all others are seen once.
 *
 * @returns refused with M_INVALID_PARAM for a token that is none
 */
export async function readPublicRooms(
  services: Pick<ReadServices, 'cached'>,
  request: PublicRoomsRequest,
): Promise<PublicRoomsPage | Refusal> {
  const place = request.since === null ? null : parsePlace(request.since);
  if (place !== null && 'errcode' in place) return place;
  const limit = Math.min(
    request.limit === 0 ? PUBLIC_ROOMS_PAGE_DEFAULT : request.limit,
    PUBLIC_ROOMS_PAGE_MAX,
  );
  const listed = await readListed(services);
  const term = request.searchTerm === null ? '' : toSearchable(request.searchTerm.trim());
  const { roomTypes } = request;
  const found = listed
    .filter((room) => roomTypes === null || roomTypes.includes(room.roomType))
    .filter((room) => room.searchable.includes(term))
    .toSorted(compare);
  const isForward = place?.direction !== 'previous';
  const bound = place === null ? 0 : found.findIndex((room) => compare(room, place) >= (isForward ? 1 : 0));
  // Beyond the last room there is no index.
  const border = bound === -1 ? found.length : bound;
  const [start, end] = isForward ? [border, border + limit] : [Math.max(0, border - limit), border];
  const page = found.slice(start, end);
  const [first, last] = [page[0], page.at(-1)];
  const rest = end < found.length ? last : undefined;
  const before = start > 0 ? first : undefined;
  return {
    kind: 'page',
    chunk: page.map(toPublishedRoom),
    ...(rest !== undefined && { next_batch: formatPlace('next', rest) }),
    ...(before !== undefined && { prev_batch: formatPlace('previous', before) }),
    total_room_count_estimate: listed.length,
  };
}
