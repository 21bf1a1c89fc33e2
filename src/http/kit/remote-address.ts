import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { Config } from '../../config/config.ts';

const MAPPED_IPV4 = '::ffff:';

function plain(address: string): string {
  return address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address;
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

function networksOf(cidrs: readonly string[]): BlockList {
  const networks = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/');
    networks.addSubnet(address, Number(bits), familyOf(address));
  }
  return networks;
}

/** The addresses of `X-Forwarded-For`, the one that was added last first. */
function forwardedFor(request: IncomingMessage): string[] {
  const header = request.headers['x-forwarded-for'] ?? '';
  const text = typeof header === 'string' ? header : header.join();
  return text
    .split(',')
    .map((entry) => plain(entry.trim()))
    .toReversed();
}

/**
 * Makes what tells the address of whoever sent a request. When it came from this machine or from one of `server.trusted_proxies`, it came
 * through a reverse proxy: then the last address of `X-Forwarded-For` counts, which is the one that the proxy itself has added, or the one
 * before it when that is a trusted proxy too, and so on. From elsewhere the header is not believed.
 *
 * @param config is read with each request
 */
export function createAddressReader(config: Pick<Config, 'server'>): (request: IncomingMessage) => string {
  let readFrom: readonly string[] = [];
  let proxies = networksOf(readFrom);
  const isTrusted = (address: string): boolean =>
    isLoopback(address) || (isIP(address) !== 0 && proxies.check(address, familyOf(address)));
  return (request) => {
    const { trustedProxies } = config.server;
    if (trustedProxies !== readFrom) {
      readFrom = trustedProxies;
      proxies = networksOf(trustedProxies);
    }
    let address = plain(request.socket.remoteAddress ?? '');
    if (!isTrusted(address)) return address;
    for (const before of forwardedFor(request)) {
      if (isIP(before) === 0) return address;
      address = before;
      if (!isTrusted(address)) return address;
    }
    return address;
  };
}
