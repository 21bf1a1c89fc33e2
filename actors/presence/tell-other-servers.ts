import type { PresenceRow } from '../../src/streams/presence-stream.ts';
import type { TroupeContext } from '../environment.ts';
import type { OutgoingEdu } from '../federation/protocol.ts';

/**
 * How often the servers of a user's rooms are told that the user is still there, in milliseconds: after half an hour without a word they, and we,
 * take users of other servers for gone.
 */
export const TELL_AGAIN_MS = 25 * 60 * 1_000;

/**
 * What other servers are told of a user. Server-Server API v1.19, "Presence".
 *
 * @param now milliseconds since the epoch
 */
export function presenceEdu(shown: PresenceRow, now: number): OutgoingEdu {
  const { userId, presence, statusMessage, lastActiveTs, isCurrentlyActive } = shown;
  const push = {
    user_id: userId,
    presence,
    ...(statusMessage !== null && { status_msg: statusMessage }),
    last_active_ago: Math.max(0, Math.floor(now - lastActiveTs)),
    currently_active: isCurrentlyActive,
  };
  return { type: 'm.presence', content: { push: [push] }, key: userId };
}

/** Whether a user's row says something else than the one before; without one the user was offline. */
export function isNewsOf(shown: PresenceRow, before: PresenceRow | undefined): boolean {
  return (
    shown.presence !== (before?.presence ?? 'offline') ||
    shown.statusMessage !== (before?.statusMessage ?? null)
  );
}

/** Queues a local user's presence for the servers of the user's rooms. Server-Server API v1.19, "Presence". */
export function tellOtherServers(context: Pick<TroupeContext, 'clock' | 'ref'>, shown: PresenceRow): void {
  const { roomIds } = shown;
  if (roomIds.length === 0) return;
  const edu = presenceEdu(shown, context.clock.now());
  context.ref('federation').tell('federation.queue-rooms-edu', { roomIds, edu });
}
