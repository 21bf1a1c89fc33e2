import { parseRoomAlias, type RoomAlias } from '../../../matrix/identifiers/room-alias.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/**
 * Reads an alias that this server decides on.
 *
 * @returns refused with M_INVALID_PARAM for what is no alias, and for other servers' aliases
 */
export function parseLocalAlias(text: string, serverName: string): RoomAlias | Refusal {
  const alias = parseRoomAlias(text);
  if (alias === undefined) return refuse('M_INVALID_PARAM', 'The path does not name a room alias.');
  if (!isOfServer(alias, serverName))
    return refuse('M_INVALID_PARAM', `The alias is not one of ${serverName}: ask its own server.`);
  return alias;
}
