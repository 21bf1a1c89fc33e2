import { isIPv6 } from 'node:net';
import type { Brand } from './brand.ts';

/** The name of a server: a DNS name, an IPv4 address or a bracketed IPv6 address, with an optional port. Compared exactly. */
export type ServerName = Brand<'ServerName'>;

/** The longest server name, so that a user id with a localpart fits into 255 bytes. Appendices v1.19, "Server Name". */
export const SERVER_NAME_LENGTH_MAX = 255;

const PORT_MAX = 65_535;
const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|[0-9A-Za-z.-]{1,255})(?::([0-9]{1,5}))?$/;

/** The host and the port of a server name. */
export interface HostAndPort {
  /** Without brackets when it is an IPv6 address. */
  readonly host: string;
  readonly isIpv6: boolean;
  readonly port: number | undefined;
}

function splitServerName(text: string): HostAndPort | undefined {
  if (text.length > SERVER_NAME_LENGTH_MAX) return undefined;
  const match = HOST_AND_PORT.exec(text);
  if (match === null) return undefined;
  const [, ipv6, portText] = match;
  if (ipv6 !== undefined && !isIPv6(ipv6)) return undefined;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && port > PORT_MAX) return undefined;
  const hostEnd = portText === undefined ? text.length : text.length - portText.length - 1;
  return { host: ipv6 ?? text.slice(0, hostEnd), isIpv6: ipv6 !== undefined, port };
}

/**
 * Reads a server name. The grammar's case is kept: `matrix.org` and `MATRIX.ORG` are two servers. A port above 65535 is not
 * a port of anything and is refused.
 * Appendices v1.19, "Server Name".
 *
 * @returns the name itself, or undefined when the text is not one
 */
export function parseServerName(text: string): ServerName | undefined {
  return splitServerName(text) === undefined ? undefined : (text as ServerName);
}

/** Splits a server name into host and port, for discovery. */
export function hostAndPortOf(name: ServerName): HostAndPort {
  const parts = splitServerName(name);
  if (parts === undefined) throw new Error(`not a server name: ${name}`);
  return parts;
}
