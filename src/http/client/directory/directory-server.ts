import { parseServerName } from '../../../matrix/identifiers/server-name.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/**
 * Says whose directory a request asks for: only this server's own can be had.
 *
 * @param server the query parameter `server`
 * @returns undefined for this server's own; refused with M_INVALID_PARAM for what is no server name, 502 M_UNKNOWN for another server
 */
export function refuseOtherServer(server: string | undefined, serverName: string): Refusal | undefined {
  if (server === undefined || server === serverName) return undefined;
  if (parseServerName(server) === undefined)
    return refuse('M_INVALID_PARAM', 'server: this is not the name of a server.');
  return refuse('M_UNKNOWN', `The directory of ${server} cannot be reached.`, { status: 502 });
}
