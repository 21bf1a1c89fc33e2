import type { JsonObject } from '../../kit/json.ts';
import { isIPv4 } from 'node:net';
import { hostAndPortOf, parseServerName } from '../identifiers/server-name.ts';
import { compileGlob, type TextTest } from '../push/glob.ts';

/** Different patterns of one list that count: an event holds no more of them than its size allows. */
export const ACL_PATTERNS_MAX = 35_000;

/** Says whether a server may take part in a room. */
export type ServerAcl = (serverName: string) => boolean;

function patternsOf(value: unknown): readonly TextTest[] {
  if (!Array.isArray(value)) return [];
  const patterns = value.filter((pattern) => typeof pattern === 'string');
  return [...new Set(patterns)].slice(0, ACL_PATTERNS_MAX).map((pattern) => compileGlob(pattern, 'whole'));
}

/**
 * Compiles the content of an `m.room.server_acl` event. Names are compared without their port and without regard to case; what is no server
 * name is denied. Client-Server API v1.19, "Server Access Control Lists (ACLs) for rooms".
 */
export function compileServerAcl(content: JsonObject): ServerAcl {
  const allowsIpLiterals = content['allow_ip_literals'] !== false;
  const deny = patternsOf(content['deny']);
  const allow = patternsOf(content['allow']);
  return (text) => {
    const name = parseServerName(text);
    if (name === undefined) return false;
    const { host, isIpv6 } = hostAndPortOf(name);
    if (!allowsIpLiterals && (isIpv6 || isIPv4(host))) return false;
    const tested = isIpv6 ? `[${host}]` : host;
    if (deny.some((matches) => matches(tested))) return false;
    return allow.some((matches) => matches(tested));
  };
}
