import { readPurgedUpTo } from '../../db/rooms/purge-reader.ts';
import {
  type MemberChange,
  type PositionedStateChange,
  readMemberChangesOfRoom,
  readPositionedStateChanges,
  readTimelineEntries,
  type TimelineEntry,
} from '../../db/rooms/sync-reader.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { type RecentEvents, recentEventsCache, type RecentOfRoom } from './caches/recent-events.ts';
import { BEGINNING } from './sync-range.ts';
import type { ReadServices } from './sync-services.ts';

/** The newest events of a room that everyone in it shares; who has missed more reads for themselves. */
export const RECENT_EVENTS_MAX = 12;
/** Changes of state that are shared; where resolution has made more at once, everyone reads for themselves. */
export const RECENT_STATE_CHANGES_MAX = 100;

const EVENTS = 'events';

interface Within {
  readonly from: number;
  readonly to: number;
}

async function readRecent(db: ReadDb, roomId: string, upTo: number): Promise<RecentEvents> {
  const entries = await readTimelineEntries(db, roomId, BEGINNING, upTo, RECENT_EVENTS_MAX);
  const oldest = entries[RECENT_EVENTS_MAX - 1];
  const after = oldest === undefined ? BEGINNING : oldest.position - 1;
  const stateChanges = await readPositionedStateChanges(db, roomId, after, upTo);
  const memberChanges = await readMemberChangesOfRoom(db, roomId, after, upTo);
  const purgedUpTo = await readPurgedUpTo(db, roomId);
  if (stateChanges.length <= RECENT_STATE_CHANGES_MAX)
    return { after, entries, stateChanges, memberChanges, purgedUpTo };
  return { after: upTo, entries: [], stateChanges: [], memberChanges: [], purgedUpTo };
}

/** Reads for everyone; what failed is not kept. */
async function readShared(
  known: RecentOfRoom,
  db: ReadDb,
  roomId: string,
  upTo: number,
): Promise<RecentEvents> {
  try {
    return await readRecent(db, roomId, upTo);
  } catch (error) {
    known.upTo = null;
    throw error;
  }
}

/** The newest of a room, if that is all that happened after `from`. */
async function findRecent(
  { db, cached, streams }: ReadServices,
  roomId: string,
  from: number,
): Promise<RecentEvents | undefined> {
  const upTo = streams.lastChange(EVENTS, `room:${roomId}`);
  // History is for those who page: it is in no range of a client that is up to date.
  if (upTo === undefined || from < 0) return undefined;
  const known = cached.peek(recentEventsCache, roomId) ?? (await cached.get(recentEventsCache, roomId));
  if (known.upTo !== upTo || known.read === null) {
    known.upTo = upTo;
    known.read = readShared(known, db, roomId, upTo);
  }
  const recent = await known.read;
  return recent.after <= from ? recent : undefined;
}

function within<Row extends { readonly position: number }>(
  rows: readonly Row[],
  { from, to }: Within,
): Row[] {
  return rows.filter(({ position }) => position > from && position <= to);
}

/** As {@link readTimelineEntries}, read once for all in a room who are up to date. `to` is not ahead of this thread's view. */
export async function readRecentEntries(
  services: ReadServices,
  roomId: string,
  from: number,
  to: number,
  limit: number,
): Promise<readonly TimelineEntry[]> {
  const recent = await findRecent(services, roomId, from);
  if (recent === undefined) return readTimelineEntries(services.db, roomId, from, to, limit);
  return within(recent.entries, { from, to }).slice(0, limit);
}

/** As {@link readPositionedStateChanges}, read once for all in a room who are up to date. `to` is not ahead of this thread's view. */
export async function readRecentStateChanges(
  services: ReadServices,
  roomId: string,
  from: number,
  to: number,
): Promise<readonly PositionedStateChange[]> {
  const recent = await findRecent(services, roomId, from);
  if (recent === undefined) return readPositionedStateChanges(services.db, roomId, from, to);
  return within(recent.stateChanges, { from, to });
}

/** As {@link readMemberChangesOfRoom}, read once for all in a room who are up to date. `to` is not ahead of this thread's view. */
export async function readRecentMemberChanges(
  services: ReadServices,
  roomId: string,
  from: number,
  to: number,
): Promise<readonly MemberChange[]> {
  const recent = await findRecent(services, roomId, from);
  if (recent === undefined) return readMemberChangesOfRoom(services.db, roomId, from, to);
  return within(recent.memberChanges, { from, to });
}

/** As {@link readPurgedUpTo}, read once for all in a room who have everything up to `from`. */
export async function findPurgedUpTo(
  services: ReadServices,
  roomId: string,
  from: number,
): Promise<number | null> {
  const recent = await findRecent(services, roomId, from);
  return recent === undefined ? readPurgedUpTo(services.db, roomId) : recent.purgedUpTo;
}
