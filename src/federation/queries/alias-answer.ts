import type { JsonObject } from '../../kit/json.ts';
import { parseRoomId } from '../../matrix/identifiers/room-id.ts';
import { parseServerName } from '../../matrix/identifiers/server-name.ts';

/** Servers that are kept of one answer. */
const SERVERS_MAX = 100;

/** Where an alias of another server points at. */
export interface RemoteAlias {
  readonly kind: 'alias';
  readonly roomId: string;
  /** Servers that are in the room, as its server says. */
  readonly servers: readonly string[];
}

/**
 * Reads the answer of `GET /_matrix/federation/v1/query/directory`. Server-Server API v1.19, "Querying for information".
 *
 * @returns undefined when it is no such answer
 */
export function parseAliasAnswer({ room_id: roomId, servers }: JsonObject): RemoteAlias | undefined {
  if (typeof roomId !== 'string' || parseRoomId(roomId) === undefined || !Array.isArray(servers))
    return undefined;
  const named = servers.filter(
    (server): server is string => typeof server === 'string' && parseServerName(server) !== undefined,
  );
  return { kind: 'alias', roomId, servers: named.slice(0, SERVERS_MAX) };
}
