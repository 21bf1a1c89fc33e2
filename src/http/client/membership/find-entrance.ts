import type { ReadDb } from '../../../../db/kit/read-db.ts';
import type { Config } from '../../../config/config.ts';
import type { FederationClient } from '../../../federation/federation-client.ts';
import { parseAliasAnswer } from '../../../federation/queries/alias-answer.ts';
import { refusalOf } from '../../../federation/queries/refusal-of.ts';
import { domainOf } from '../../../matrix/identifiers/domain.ts';
import { parseRoomAlias } from '../../../matrix/identifiers/room-alias.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import { findRoomId } from './find-room-id.ts';

/** How long the server of an alias may take, in milliseconds. */
const ALIAS_TIMEOUT_MS = 15_000;

/** A room that somebody wants to come into, and who can help. */
export interface Entrance {
  readonly kind: 'entrance';
  readonly roomId: string;
  /** Servers that may be in the room, the likeliest first. */
  readonly via: readonly string[];
}

/** What finding a room needs. */
export interface EntranceServices {
  readonly config: Config;
  readonly db: ReadDb;
  readonly federationClient: FederationClient;
}

/** Nothing is remembered here: whoever has just made an alias wants to come in through it. */
async function askForAlias(
  client: FederationClient,
  alias: string,
  server: string,
  via: readonly string[],
): Promise<Entrance | Refusal> {
  const answer = await client.request({
    destination: server,
    method: 'GET',
    path: '/_matrix/federation/v1/query/directory',
    query: { room_alias: alias },
    timeoutMs: ALIAS_TIMEOUT_MS,
    // Somebody waits for it, who may know that the server is back.
    isProbe: true,
  });
  const found = answer.kind === 'answered' ? parseAliasAnswer(answer.body) : undefined;
  if (found === undefined) return refusalOf(answer, 'The alias');
  return { kind: 'entrance', roomId: found.roomId, via: [...via, ...found.servers, server] };
}

/**
 * The room that an id or an alias names, of whatever server, for who wants to join it or knock on it.
 *
 * @param via servers that the client names
 * @returns refused as {@link findRoomId} refuses, or with what the alias's server said
 */
export async function findEntrance(
  { config, db, federationClient }: EntranceServices,
  idOrAlias: string,
  via: readonly string[],
): Promise<Entrance | Refusal> {
  const server = parseRoomAlias(idOrAlias) === undefined ? undefined : domainOf(idOrAlias);
  if (server !== undefined && server !== config.server.name)
    return askForAlias(federationClient, idOrAlias, server, via);
  const room = await findRoomId(db, idOrAlias);
  return isRefusal(room) ? room : { kind: 'entrance', roomId: room.roomId, via };
}
