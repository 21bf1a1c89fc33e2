import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import type { AddressGuard } from '../../http-client/address-guard.ts';
import { AddressForbidden } from '../../http-client/guarded-connect.ts';
import type { ServerRoute } from './discovery.ts';
import type { NameLookup } from './name-lookup.ts';

type Connector = ReturnType<typeof buildConnector>;

/** How long one address may take to accept a connection, TLS included, in milliseconds. */
const CONNECT_TIMEOUT_MS = 8_000;
/** How many addresses are tried for one connection, over all targets. */
export const ADDRESSES_TRIED_MAX = 6;

/** What connections to servers stand on. */
export interface DialGround {
  readonly names: NameLookup;
  readonly guard: AddressGuard;
  /** What certificates must come from; undefined for what Node trusts by itself. */
  readonly authorities: SecureContext | undefined;
}

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The addresses of all targets that may be dialled. An address out of bounds is passed over; when there is no other, that is why. */
async function endpointsOf(route: ServerRoute, { names, guard }: DialGround): Promise<readonly Endpoint[]> {
  const endpoints: Endpoint[] = [];
  let isForbidden = false;
  for (const { host, port } of route.targets) {
    for (const address of await names.addresses(host)) {
      if (guard.isAllowed(address)) endpoints.push({ address, port });
      else isForbidden = true;
    }
    if (endpoints.length >= ADDRESSES_TRIED_MAX) break;
  }
  if (endpoints.length === 0 && isForbidden) throw new AddressForbidden(route.hostHeader);
  if (endpoints.length === 0) throw new Error(`${route.hostHeader} has no address`);
  return endpoints.slice(0, ADDRESSES_TRIED_MAX);
}

/**
 * Makes what connects to one server, by TLS: resolves what its route names, looks at every address, and dials those that it has looked at, one
 * after the other. The certificate is checked against the route's name.
 */
export function createServerDial(route: ServerRoute, ground: DialGround): Connector {
  const { certificateName } = route;
  const { authorities } = ground;
  const dial = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    allowH2: false,
    ...(authorities !== undefined && { secureContext: authorities }),
  });

  return (options, callback) => {
    const tryNext = (endpoints: readonly Endpoint[]): void => {
      const [{ address, port }, ...others] = endpoints as [Endpoint, ...Endpoint[]];
      // An address has no name to be sent along; its certificate is checked by what is dialled.
      const named = isIP(certificateName) === 0 ? { servername: certificateName } : {};
      dial(
        { ...options, protocol: 'https:', hostname: address, port: String(port), ...named },
        (...result) => {
          const [error, socket] = result;
          if (error === null) callback(null, socket);
          else if (others.length > 0) tryNext(others);
          else callback(error, null);
        },
      );
    };
    void (async () => {
      let endpoints: readonly Endpoint[];
      try {
        endpoints = await endpointsOf(route, ground);
      } catch (error) {
        callback(error instanceof Error ? error : new Error(String(error)), null);
        return;
      }
      tryNext(endpoints);
    })();
  };
}
