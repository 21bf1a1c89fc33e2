import { isJsonObject, type Json, type JsonObject } from '../kit/json.ts';
import { parseRoomId } from '../matrix/identifiers/room-id.ts';
import { parseRoomChunk, roomIdOf } from './room-chunk.ts';

/** Children of one space that are looked at. */
const CHILDREN_MAX = 1_000;

/** A child that another server's space names. */
export interface RemoteChild {
  readonly roomId: string;
  readonly isSuggested: boolean;
  /** The stripped event with its time. */
  readonly event: JsonObject;
}

/** A room of which another server tells. */
export interface RemoteRoom {
  /** What `GET /hierarchy` shows of it, without its children. */
  readonly summary: JsonObject;
  /** Null where the server does not say: of the children of the room that it was asked for. */
  readonly children: readonly RemoteChild[] | null;
}

/** A room and those of its children that the server told of. */
export interface RemoteSpace {
  readonly kind: 'space';
  readonly room: RemoteRoom;
  readonly children: ReadonlyMap<string, RemoteRoom>;
  /** Children that this server may not know more of. */
  readonly inaccessible: ReadonlySet<string>;
}

function parseChild(event: Json): RemoteChild | undefined {
  if (!isJsonObject(event)) return undefined;
  const { type, state_key: roomId, sender, content, origin_server_ts: ts } = event;
  if (type !== 'm.space.child' || typeof roomId !== 'string' || parseRoomId(roomId) === undefined)
    return undefined;
  if (typeof sender !== 'string' || !isJsonObject(content) || typeof ts !== 'number') return undefined;
  const { via } = content;
  if (!Array.isArray(via) || via.length === 0) return undefined;
  const shown = { type, state_key: roomId, sender, content, origin_server_ts: ts };
  return { roomId, isSuggested: content['suggested'] === true, event: shown };
}

function parseRoom(room: Json | undefined): RemoteRoom | undefined {
  const summary = isJsonObject(room) ? parseRoomChunk(room) : undefined;
  if (summary === undefined || !isJsonObject(room)) return undefined;
  const { children_state: events } = room;
  if (!Array.isArray(events)) return { summary, children: null };
  const children = (events as readonly Json[]).slice(0, CHILDREN_MAX).map(parseChild);
  return { summary, children: children.filter((child) => child !== undefined) };
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]).slice(0, CHILDREN_MAX) : [];
}

/**
 * Reads the answer of `GET /_matrix/federation/v1/hierarchy/{roomId}`. Server-Server API v1.19, "Spaces".
 *
 * @returns undefined when it is no such answer, or is about another room
 */
export function parseHierarchyAnswer(body: JsonObject, roomId: string): RemoteSpace | undefined {
  const room = parseRoom(body['room']);
  if (room?.summary['room_id'] !== roomId) return undefined;
  const children = listOf(body['children'])
    .map(parseRoom)
    .flatMap((child) => (child === undefined ? [] : [[roomIdOf(child.summary), child] as const]));
  const inaccessible = listOf(body['inaccessible_children']).filter((id) => typeof id === 'string');
  return {
    kind: 'space',
    room: { ...room, children: room.children ?? [] },
    children: new Map(children),
    inaccessible: new Set(inaccessible),
  };
}
