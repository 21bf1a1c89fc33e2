import { isIP } from 'node:net';
import { type HostAndPort, hostAndPortOf, parseServerName } from '../../matrix/identifiers/server-name.ts';
import type { NameLookup, ServiceTarget } from './name-lookup.ts';
import type { WellKnown } from './well-known.ts';

/** The port of servers that name none. */
export const FEDERATION_PORT = 8_448;

/** Where a server is found, and as what it is addressed. */
export interface ServerRoute {
  /** What is dialled, in this order: names or addresses. */
  readonly targets: readonly ServiceTarget[];
  /** The `Host` header. */
  readonly hostHeader: string;
  /** Whom the certificate must name: a host name, or an address. */
  readonly certificateName: string;
}

/** What discovery asks. */
export interface DiscoveryGround {
  readonly names: NameLookup;
  /** What a host says in `/.well-known/matrix/server`; null for nothing usable. */
  wellKnown(host: string): Promise<WellKnown | null>;
}

/** Text that is dialled for a host: without the brackets of an IPv6 address. */
function bracketed({ host, isIpv6 }: HostAndPort): string {
  return isIpv6 ? `[${host}]` : host;
}

function isLiteral({ host, isIpv6 }: HostAndPort): boolean {
  return isIpv6 || isIP(host) === 4;
}

/** Steps 1 and 2, and their like for a delegated name: what needs no question about services. */
function directRoute(parts: HostAndPort): ServerRoute | undefined {
  const { host, port } = parts;
  if (!isLiteral(parts) && port === undefined) return undefined;
  const hostHeader = port === undefined ? bracketed(parts) : `${bracketed(parts)}:${port}`;
  return { targets: [{ host, port: port ?? FEDERATION_PORT }], hostHeader, certificateName: host };
}

/** SRV records in both their names, then the port of the specification. */
async function routeByService(host: string, names: NameLookup): Promise<ServerRoute> {
  const addressedAs = { hostHeader: host, certificateName: host };
  for (const service of ['_matrix-fed._tcp', '_matrix._tcp']) {
    const targets = await names.service(`${service}.${host}`);
    if (targets.length > 0) return { targets, ...addressedAs };
  }
  return { targets: [{ host, port: FEDERATION_PORT }], ...addressedAs };
}

/**
 * Finds where a server is. Server-Server API v1.19, "Resolving server names".
 *
 * @param serverName a server name: throws for what is none
 */
export async function discoverServer(serverName: string, ground: DiscoveryGround): Promise<ServerRoute> {
  const name = parseServerName(serverName);
  if (name === undefined) throw new Error(`${serverName} is no name of a server`);
  const parts = hostAndPortOf(name);
  const direct = directRoute(parts);
  if (direct !== undefined) return direct;
  const delegated = await ground.wellKnown(parts.host);
  if (delegated === null) return routeByService(parts.host, ground.names);
  const delegatedParts = hostAndPortOf(delegated.serverName);
  return directRoute(delegatedParts) ?? routeByService(delegatedParts.host, ground.names);
}
