import { type PresenceRow, presenceStream } from '../streams/presence-stream.ts';
import { matchesEvent, matchesNothing } from '../matrix/sync-filter.ts';
import type { Milliseconds } from '../kit/clock.ts';
import type { SyncContext } from './sync-context.ts';

/** The text of an `m.presence`. Client-Server API v1.19, "Presence". */
function presenceText(row: PresenceRow, now: Milliseconds): string {
  return JSON.stringify({
    type: 'm.presence',
    sender: row.userId,
    content: {
      presence: row.presence,
      last_active_ago: Math.max(0, now - row.lastActiveTs),
      currently_active: row.isCurrentlyActive,
      ...(row.statusMessage === null ? {} : { status_msg: row.statusMessage }),
    },
  });
}

/**
 * The texts of presence, as the filter lets it through, of users that share a room with the caller, and the caller's own, where it changed in the range; of the members of
 * rooms that are new to the client in any case.
 *
 * @param joined the caller's joined rooms
 * @param newlyJoined those of them that are new to the client
 */
export function readPresence(
  context: SyncContext,
  joined: ReadonlySet<string>,
  newlyJoined: ReadonlySet<string>,
): readonly string[] {
  const { range, services, caller, filter } = context;
  if (matchesNothing(filter.presence)) return [];
  const { name } = presenceStream;
  const from = range.from(name);
  const now = services.clock.now();
  const texts: string[] = [];
  const rows = services.streams.memoryRows(presenceStream, newlyJoined.size > 0 ? 0 : from);
  for (const { position, row } of rows) {
    const isNews = position > from && position <= range.to(name);
    const rooms = isNews ? joined : newlyJoined;
    const isOwn = isNews && row.userId === caller.userId;
    if (range.isInitial && row.presence === 'offline') continue;
    if (!matchesEvent(filter.presence, { type: 'm.presence', sender: row.userId })) continue;
    if (isOwn || row.roomIds.some((roomId) => rooms.has(roomId))) texts.push(presenceText(row, now));
  }
  return texts;
}
