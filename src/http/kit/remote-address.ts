import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

const MAPPED_IPV4 = '::ffff:';

function plain(address: string): string {
  return address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address;
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/**
 * The address of whoever sent a request. When it came from this machine, it came through a reverse proxy: then the last address of
 * `X-Forwarded-For` counts, which is the one that the proxy itself has added. From elsewhere the header is not believed.
 */
export function remoteAddressOf(request: IncomingMessage): string {
  const peer = plain(request.socket.remoteAddress ?? '');
  if (!isLoopback(peer)) return peer;
  const header = request.headers['x-forwarded-for'];
  if (header === undefined) return peer;
  const forwarded = plain(
    (typeof header === 'string' ? header : header.join()).split(',').at(-1)?.trim() ?? '',
  );
  return isIP(forwarded) === 0 ? peer : forwarded;
}
