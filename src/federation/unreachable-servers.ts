import type { JsonObject } from '../kit/json.ts';
import { domainOf } from '../matrix/identifiers/domain.ts';

/** What is asked of users, of this server and of others. */
export interface ByServer<Wanted> {
  /** What is asked of users of this server, by user id. */
  readonly local: ReadonlyMap<string, Wanted>;
  /** Servers that could not be asked, with the error of each: the `failures` of an answer. */
  readonly failures: Readonly<Record<string, JsonObject>>;
}

const UNREACHABLE: JsonObject = { errcode: 'M_UNKNOWN', error: 'The server could not be reached.' };

/**
 * Tells users of this server from those of others, whose servers count as out of reach. What is no user id is passed over.
 * Client-Server API v1.19, `failures` of `POST /_matrix/client/v3/keys/query` and `POST /_matrix/client/v3/keys/claim`.
 *
 * @param wanted what is asked, by user id
 */
export function askServers<Wanted>(
  wanted: Readonly<Record<string, Wanted>>,
  serverName: string,
): ByServer<Wanted> {
  const local = new Map<string, Wanted>();
  const failures = new Map<string, JsonObject>();
  for (const [userId, asked] of Object.entries(wanted)) {
    const domain = userId.startsWith('@') ? domainOf(userId) : undefined;
    if (domain === serverName) local.set(userId, asked);
    else if (domain !== undefined) failures.set(domain, UNREACHABLE);
  }
  return { local, failures: Object.fromEntries(failures) };
}
