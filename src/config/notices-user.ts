import type { Config } from './config.ts';

/** The user in whose name the server speaks to its users; null where it does not. Client-Server API v1.19, "Server Notices". */
export function noticesUserOf(config: Pick<Config, 'server' | 'serverNotices'>): string | null {
  const { enabled, localpart } = config.serverNotices;
  return enabled ? `@${localpart}:${config.server.name}` : null;
}
