import type { Clock } from '../../src/kit/clock.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import type { PresenceRow } from '../../src/streams/presence-stream.ts';

/** How long what a server said is remembered for rooms that this server is just coming into, in milliseconds. */
export const RECENT_MS = 5 * 60 * 1_000;
/** Servers of whose users it is remembered; the one that was heard of longest ago makes room. */
export const RECENT_SERVERS_MAX = 100;
/** Users of one server; the one that was heard of longest ago makes room. */
export const RECENT_USERS_MAX = 500;

/** What was said of a user, wherever the user is. */
export type SaidPresence = Omit<PresenceRow, 'roomIds'>;

/** Who of other servers was said to be there a moment ago. */
export interface RecentPresence {
  /** Newer than what was said of the user before. Of somebody who is gone nothing is remembered. */
  note(said: SaidPresence): void;
  find(userId: string): SaidPresence | undefined;
  /** All users of one server. */
  of(serverName: string): readonly SaidPresence[];
}

interface Noted {
  readonly said: SaidPresence;
  /** On the monotonic clock, in milliseconds. */
  readonly at: number;
}

/** Lets go of what was noted first, where there is no room for another. */
function makeRoom(map: Map<string, unknown>, max: number): void {
  const [oldest] = map.keys();
  if (oldest !== undefined && map.size >= max) map.delete(oldest);
}

/** Remembers nothing yet. */
export function createRecentPresence(clock: Clock): RecentPresence {
  const servers = new Map<string, Map<string, Noted>>();
  const isRecent = ({ at }: Noted): boolean => clock.monotonic() - at < RECENT_MS;
  return {
    note(said) {
      const server = domainOf(said.userId) ?? '';
      const users = servers.get(server) ?? new Map<string, Noted>();
      users.delete(said.userId);
      servers.delete(server);
      if (said.presence !== 'offline') {
        makeRoom(users, RECENT_USERS_MAX);
        users.set(said.userId, { said, at: clock.monotonic() });
      }
      if (users.size === 0) return;
      makeRoom(servers, RECENT_SERVERS_MAX);
      servers.set(server, users);
    },
    find(userId) {
      const noted = servers.get(domainOf(userId) ?? '')?.get(userId);
      return noted !== undefined && isRecent(noted) ? noted.said : undefined;
    },
    of: (serverName) =>
      [...(servers.get(serverName)?.values() ?? [])].filter(isRecent).map(({ said }) => said),
  };
}
