import { findTopologicalPlace, ROOM_START, type TopologicalPlace } from '../../db/rooms/timeline-reader.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { isRefusal, type Refusal, refuse } from '../matrix/refusal.ts';
import { parseToken } from '../streams/token.ts';

/** No stream has this letter: what begins with it is a place in the history of a room. */
const PLACE = /^h(-?\d{1,16})_(-?\d{1,16})$/;

/** The text of a place in a room's history: the `prev_batch` of a sync, and what /messages gives out. */
export function formatPlace(place: TopologicalPlace): string {
  return `h${place.depth}_${place.streamOrdering}`;
}

/** The place just before an event. */
export function placeBefore(event: { readonly depth: number; readonly position: number }): TopologicalPlace {
  return { depth: event.depth, streamOrdering: event.position - 1 };
}

/**
 * Reads a place in the history of a room: one of {@link formatPlace}, or a token of sync, which stands for the room's last event
 * by then. Client-Server API v1.19, `GET /rooms/{roomId}/messages`, parameter `from`.
 *
 * @returns refused with 400 M_INVALID_PARAM when it is neither
 */
export async function findPlace(
  db: ReadDb,
  roomId: string,
  token: string,
): Promise<TopologicalPlace | Refusal> {
  const [, depth, streamOrdering] = PLACE.exec(token) ?? [];
  if (depth !== undefined && streamOrdering !== undefined) {
    const place = { depth: Number(depth), streamOrdering: Number(streamOrdering) };
    if (Number.isSafeInteger(place.depth) && Number.isSafeInteger(place.streamOrdering)) return place;
    return refuse('M_INVALID_PARAM', 'This is not a token that this server gave out.');
  }
  const position = findEventsPosition(token);
  if (typeof position !== 'number') return position;
  return (await findTopologicalPlace(db, roomId, position)) ?? ROOM_START;
}

/**
 * The position on the events stream that a token stands for: of a place, its own; of a sync token, the events stream's.
 *
 * @returns refused with 400 M_INVALID_PARAM when it is no token
 */
export function findEventsPosition(token: string): number | Refusal {
  const place = PLACE.exec(token);
  if (place !== null) return Number(place[2]);
  const parsed = parseToken(token);
  return isRefusal(parsed) ? parsed : (parsed.positions['events']?.position ?? 0);
}
