import { findAlias } from '../../../../db/rooms/room-reader.ts';
import { hostsInRoom } from '../../../federation/hosts-in-room.ts';
import type { RemoteAlias } from '../../../federation/queries/alias-answer.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { parseRoomAlias } from '../../../matrix/identifiers/room-alias.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';

/** Servers that are named for one room. */
const SERVERS_MAX = 50;

/**
 * The room that an alias of this server points at, and servers that are in it: this one first.
 *
 * @returns refused with M_NOT_FOUND for an alias that points nowhere
 */
export async function findLocalAlias(
  services: Pick<Services, 'db' | 'cached' | 'config'>,
  alias: string,
): Promise<RemoteAlias | Refusal> {
  const found = await findAlias(services.db, alias);
  if (found === undefined) return refuse('M_NOT_FOUND', 'No room has this alias.');
  const hosts = await services.cached.get(hostsInRoom, found.roomId);
  const servers = [...new Set([services.config.server.name, ...hosts])].slice(0, SERVERS_MAX);
  return { kind: 'alias', roomId: found.roomId, servers };
}

/**
 * The room that an alias points at, of this server or another, and servers that are likely to be in it.
 * Client-Server API v1.19, `GET /_matrix/client/v3/directory/room/{roomAlias}`.
 *
 * @returns refused with M_INVALID_PARAM for what is no alias, M_NOT_FOUND, or 502 M_UNKNOWN when its server does not answer
 */
export function findAliasAnywhere(
  services: Pick<Services, 'db' | 'cached' | 'config' | 'remoteQueries'>,
  alias: string,
): Promise<RemoteAlias | Refusal> {
  if (parseRoomAlias(alias) === undefined)
    return Promise.resolve(refuse('M_INVALID_PARAM', 'This is not a room alias.'));
  return isOfServer(alias, services.config.server.name)
    ? findLocalAlias(services, alias)
    : services.remoteQueries.alias(alias);
}
