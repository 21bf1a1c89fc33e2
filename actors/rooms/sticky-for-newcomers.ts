import type { ReadDb } from '../../db/kit/read-db.ts';
import { countJoinedOfHost } from '../../db/rooms/hosts-reader.ts';
import { wasJoinedBefore } from '../../db/rooms/joined-before-reader.ts';
import { type OwnSticky, readOwnSticky } from '../../db/rooms/sticky-reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';

/** Sticky events that a server is sent when it comes into a room, the newest ones. */
export const STICKY_FOR_NEWCOMER_MAX = 100;

type MemberRow = Extract<EventsRow, { readonly kind: 'event' }>;

function isJoin(row: EventsRow | null): row is MemberRow {
  return row?.kind === 'event' && row.type === 'm.room.member' && row.membership === 'join';
}

/** Sticky events of this server for another one that has just come into a room. */
export interface StickyForNewcomer {
  readonly host: string;
  readonly events: readonly OwnSticky[];
}

/**
 * Finds which servers have come into a room with a write, and the living sticky events of this server that are for them: they were sent to those
 * that were in the room then. A write without joins from elsewhere pays nothing, and one with them a look into an index that is nearly
 * always empty. MSC4354, "Sending sticky events to newly joined servers".
 *
 * @param rows what the write has told
 * @param now in milliseconds since the Unix epoch
 */
export async function findStickyForNewcomers(
  { db, serverName }: { readonly db: ReadDb; readonly serverName: string },
  roomId: string,
  rows: readonly (EventsRow | null)[],
  now: number,
): Promise<readonly StickyForNewcomer[]> {
  const joins = rows.filter(isJoin).filter(({ stateKey }) => domainOf(stateKey ?? '') !== serverName);
  if (joins.length === 0) return [];
  const events = await readOwnSticky(db, { roomId, now, limit: STICKY_FOR_NEWCOMER_MAX });
  if (events.length === 0) return [];
  const found: StickyForNewcomer[] = [];
  for (const { stateKey, eventId } of joins) {
    const host = domainOf(stateKey ?? '');
    // One after another: nearly always there is one.
    if (host === undefined || (await countJoinedOfHost(db, roomId, host)) > 1) continue;
    if (!(await wasJoinedBefore(db, eventId))) found.push({ host, events });
  }
  return found;
}
