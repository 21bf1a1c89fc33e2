import { parseServerName } from '../../../matrix/identifiers/server-name.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** Whose directory is wanted. `server` is null for this server's own. */
export interface DirectoryServer {
  readonly kind: 'directory';
  readonly server: string | null;
}

/**
 * Says whose directory a request asks for.
 *
 * @param server the query parameter `server`
 * @returns refused with M_INVALID_PARAM for what is no server name
 */
export function parseDirectoryServer(
  server: string | undefined,
  serverName: string,
): DirectoryServer | Refusal {
  if (server === undefined || server === serverName) return { kind: 'directory', server: null };
  if (parseServerName(server) === undefined)
    return refuse('M_INVALID_PARAM', 'server: this is not the name of a server.');
  return { kind: 'directory', server };
}
