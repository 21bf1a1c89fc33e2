import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import type { PresenceRow } from '../../src/streams/presence-stream.ts';
import type { TroupeContext } from '../environment.ts';

/**
 * Queues a local user's presence for the servers of the user's rooms, when it is another one than before. Server-Server API v1.19, "Presence".
 *
 * @param before the user's row before; undefined: offline
 */
export function tellOtherServers(
  context: Pick<TroupeContext, 'clock' | 'env' | 'ref'>,
  before: PresenceRow | undefined,
  shown: PresenceRow,
): void {
  const { userId, presence, statusMessage, lastActiveTs, isCurrentlyActive, roomIds } = shown;
  const isSame =
    presence === (before?.presence ?? 'offline') && statusMessage === (before?.statusMessage ?? null);
  if (isSame || roomIds.length === 0 || !isOfServer(userId, context.env.config.server.name)) return;
  const push = {
    user_id: userId,
    presence,
    ...(statusMessage !== null && { status_msg: statusMessage }),
    last_active_ago: Math.max(0, Math.floor(context.clock.now() - lastActiveTs)),
    currently_active: isCurrentlyActive,
  };
  context.ref('federation').tell('federation.queue-rooms-edu', {
    roomIds,
    edu: { type: 'm.presence', content: { push: [push] }, key: userId },
  });
}
