import { lookup as systemLookup } from 'node:dns/promises';
import { ADDRCONFIG } from 'node:dns';
import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import type { AddressGuard } from './address-guard.ts';

/** All addresses of a host name, as text. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

/** How many addresses of one host are tried, one after the other. */
const ADDRESSES_TRIED_MAX = 3;
/** How long one of them may take to answer, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

/** The address of a page is out of bounds. */
export class AddressForbidden extends Error {
  constructor(hostname: string) {
    super(`${hostname} has an address that is out of bounds`);
    this.name = 'AddressForbidden';
  }
}

/** Asks the system, as every program does. */
export const lookupBySystem: Lookup = async (hostname) => {
  const found = await systemLookup(hostname, { all: true, hints: ADDRCONFIG });
  return found.map(({ address }) => address);
};

async function allowedAddresses(
  hostname: string,
  guard: AddressGuard,
  lookup: Lookup,
): Promise<readonly string[]> {
  const bare = hostname.replaceAll(/^\[|\]$/g, '');
  const addresses = isIP(bare) === 0 ? await lookup(hostname) : [bare];
  // One that is out of bounds spoils the others: an honest name has none.
  if (addresses.length === 0 || !addresses.every((address) => guard.isAllowed(address)))
    throw new AddressForbidden(hostname);
  return addresses.slice(0, ADDRESSES_TRIED_MAX);
}

type Connector = ReturnType<typeof buildConnector>;

/**
 * Makes what connects to hosts. It resolves the name itself, looks at every address, and dials one of those that it has looked at, so that a name
 * that changes its mind between the look and the call gains nothing. TLS is checked against the name.
 *
 * @param authorities what certificates must come from, of `readAuthorities`; undefined for what Node trusts by itself
 */
export function createGuardedConnect(
  guard: AddressGuard,
  lookup: Lookup,
  authorities?: SecureContext,
): Connector {
  const dial = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    allowH2: false,
    maxCachedSessions: 0,
    ...(authorities !== undefined && { secureContext: authorities }),
  });

  return (options, callback) => {
    const { hostname } = options;
    const bare = hostname.replaceAll(/^\[|\]$/g, '');
    const tryNext = (addresses: readonly string[]): void => {
      const [address = '', ...others] = addresses;
      // An address has no name to be checked against; a certificate for it is checked by the address.
      const named = isIP(bare) === 0 ? { servername: bare } : {};
      dial({ ...options, hostname: address, ...named }, (...result) => {
        const [error, socket] = result;
        if (error !== null && others.length > 0) tryNext(others);
        else if (error === null) callback(null, socket);
        else callback(error, null);
      });
    };
    void (async () => {
      let addresses: readonly string[];
      try {
        addresses = await allowedAddresses(hostname, guard, lookup);
      } catch (error) {
        callback(error instanceof Error ? error : new Error(String(error)), null);
        return;
      }
      tryNext(addresses);
    })();
  };
}
