import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import type { Refusal } from '../../matrix/refusal.ts';
import type { FederationClient } from '../federation-client.ts';
import { refusalOf } from './refusal-of.ts';
import { parseRoomChunk } from '../../directory/room-chunk.ts';

/** How long another server may take for a page of its directory, in milliseconds. */
const DIRECTORY_TIMEOUT_MS = 20_000;
/** Rooms of one answer that are passed on. */
const ROOMS_MAX = 1_000;

/** A page of another server's directory. */
export interface RemoteRoomsPage {
  readonly chunk: JsonObject[];
  readonly next_batch?: string;
  readonly prev_batch?: string;
  readonly total_room_count_estimate?: number;
}

function toPage(body: JsonObject): RemoteRoomsPage | undefined {
  const { chunk, next_batch: next, prev_batch: previous, total_room_count_estimate: total } = body;
  if (!Array.isArray(chunk)) return undefined;
  const rooms = (chunk as readonly Json[]).slice(0, ROOMS_MAX).filter(isJsonObject).map(parseRoomChunk);
  return {
    chunk: rooms.filter((room) => room !== undefined),
    ...(typeof next === 'string' && { next_batch: next }),
    ...(typeof previous === 'string' && { prev_batch: previous }),
    ...(typeof total === 'number' && Number.isSafeInteger(total) && { total_room_count_estimate: total }),
  };
}

/**
 * Asks for a page of another server's public directory.
 * Server-Server API v1.19, `GET` and `POST /_matrix/federation/v1/publicRooms`.
 *
 * @param filter the body of the `POST`; null for what a `GET` with these parameters gives
 * @returns refused with what its server said, or 502 M_UNKNOWN
 */
export async function askForPublicRooms(
  client: FederationClient,
  server: string,
  query: Readonly<Record<string, string>>,
  filter: JsonObject | null,
): Promise<RemoteRoomsPage | Refusal> {
  const path = '/_matrix/federation/v1/publicRooms';
  const timeoutMs = DIRECTORY_TIMEOUT_MS;
  const answer = await client.request(
    filter === null
      ? { destination: server, method: 'GET', path, query, timeoutMs }
      : { destination: server, method: 'POST', path, body: filter, timeoutMs },
  );
  const page = answer.kind === 'answered' ? toPage(answer.body) : undefined;
  return page ?? refusalOf(answer, 'The directory');
}
