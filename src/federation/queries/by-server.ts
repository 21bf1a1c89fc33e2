import { domainOf } from '../../matrix/identifiers/domain.ts';
import { parseUserId } from '../../matrix/identifiers/user-id.ts';

/** What is asked of users, by where they are. */
export interface ByServer<Wanted> {
  /** Of users of this server, by user id. */
  readonly local: ReadonlyMap<string, Wanted>;
  /** Of users of others: by server name, then by user id. */
  readonly remote: ReadonlyMap<string, ReadonlyMap<string, Wanted>>;
}

/**
 * Tells users of this server from those of others. What is no user id is passed over.
 *
 * @param wanted what is asked, by user id
 */
export function splitByServer<Wanted>(
  wanted: Readonly<Record<string, Wanted>>,
  serverName: string,
): ByServer<Wanted> {
  const local = new Map<string, Wanted>();
  const remote = new Map<string, Map<string, Wanted>>();
  for (const [userId, asked] of Object.entries(wanted)) {
    const domain = parseUserId(userId) === undefined ? undefined : domainOf(userId);
    if (domain === undefined) continue;
    if (domain === serverName) {
      local.set(userId, asked);
      continue;
    }
    const ofServer = remote.get(domain) ?? new Map<string, Wanted>();
    remote.set(domain, ofServer.set(userId, asked));
  }
  return { local, remote };
}
