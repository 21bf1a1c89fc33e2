import {
  type Needs,
  readCurrentEventNids,
  readExtremityNids,
  readGroupEntries,
  readHiddenPage,
  readKeptById,
  readKeptByNid,
  readMembershipEventNids,
  readResolvedNeeds,
  readTimelineNeeds,
  type KeptEvent,
} from '../../db/rooms/purge-reader.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import type { Json } from '../../src/kit/json.ts';
import { edgeIds } from '../../src/matrix/events/pdu.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import { type PurgeDesk, ROWS_PER_READ_MAX, runSlices } from './purge-desk.ts';
import { isOldHidden, type Purge } from './purge-timeline.ts';

/** What has to stay, as far as it was looked for. It is as large as the history of the room's state that stays. */
export interface Needed {
  /** State groups of events that stay, and those that several extremities were resolved to. */
  readonly stateGroups: Set<number>;
  /** Events that stay outside of the timeline. */
  readonly events: Set<number>;
  /** Events that were named and not looked up. */
  unseenIds: string[];
  unseenNids: number[];
  readonly seenIds: Set<string>;
  /** Up to where the timeline, resolved states, what lies outside of it, and the entries of groups were looked through. */
  timelineUpTo: number;
  resolvedUpTo: number;
  hiddenUpTo: number;
  entriesUpTo: { readonly stateGroup: number; readonly stateKeyNid: number };
}

/** Nothing is known to be needed yet. */
export function nothingNeeded(): Needed {
  return {
    stateGroups: new Set(),
    events: new Set(),
    unseenIds: [],
    unseenNids: [],
    seenIds: new Set(),
    timelineUpTo: Number.MIN_SAFE_INTEGER,
    resolvedUpTo: 0,
    hiddenUpTo: 0,
    entriesUpTo: { stateGroup: 0, stateKeyNid: 0 },
  };
}

function noteId(needed: Needed, eventId: string): void {
  if (needed.seenIds.has(eventId)) return;
  needed.seenIds.add(eventId);
  needed.unseenIds.push(eventId);
}

function noteNid(needed: Needed, eventNid: number | null): void {
  if (eventNid === null || needed.events.has(eventNid)) return;
  needed.events.add(eventNid);
  needed.unseenNids.push(eventNid);
}

function noteAuthEvents(needed: Needed, authEvents: string | null): void {
  if (authEvents === null) return;
  for (const eventId of edgeIds(JSON.parse(authEvents) as Json[])) noteId(needed, eventId);
}

function note(needed: Needed, needs: Needs): void {
  if (needs.stateGroup !== null) needed.stateGroups.add(needs.stateGroup);
  noteNid(needed, needs.redactedBy);
  noteAuthEvents(needed, needs.authEvents);
}

/** Looks through a page of the timeline and one of what lies outside of it. True while there may be more. */
async function lookFurther(desk: PurgeDesk, purge: Purge, needed: Needed): Promise<boolean> {
  const { db } = desk;
  const { roomNid } = purge;
  const limit = ROWS_PER_READ_MAX;
  const timeline = await db.all(readTimelineNeeds, { roomNid, after: needed.timelineUpTo, limit });
  for (const needs of timeline) note(needed, needs);
  needed.timelineUpTo = timeline[timeline.length - 1]?.at ?? needed.timelineUpTo;
  const resolved = await db.all(readResolvedNeeds, { roomNid, after: needed.resolvedUpTo, limit });
  for (const { stateGroup } of resolved) needed.stateGroups.add(stateGroup);
  needed.resolvedUpTo = resolved[resolved.length - 1]?.at ?? needed.resolvedUpTo;
  const hidden = await readHiddenPage(db, roomNid, needed.hiddenUpTo, limit);
  for (const event of hidden) {
    needed.hiddenUpTo = event.eventNid;
    if (isOldHidden(purge, event)) continue;
    noteNid(needed, event.eventNid);
    note(needed, event);
  }
  return timeline.length === limit || resolved.length === limit || hidden.length === limit;
}

/** Finds out which states the events that stay have, and which events authorised them. Newer events are found when it is asked again. */
export function findNeededStates(
  desk: PurgeDesk,
  purge: Purge,
  needed: Needed,
): Promise<Refusal | undefined> {
  return runSlices(desk, purge.roomId, () => lookFurther(desk, purge, needed));
}

/** The same within a turn, for the few that came since. */
export async function findNewlyNeeded(desk: PurgeDesk, purge: Purge, needed: Needed): Promise<void> {
  while (await lookFurther(desk, purge, needed)) continue;
  const resolved = (await findRoom(desk.db, purge.roomId))?.resolvedStateGroup ?? null;
  if (resolved !== null) needed.stateGroups.add(resolved);
}

/** Looks through a page of the entries of the state groups that are left. True while there may be more. */
async function readEntries(desk: PurgeDesk, purge: Purge, needed: Needed): Promise<boolean> {
  const { stateGroup: afterGroup, stateKeyNid: afterKey } = needed.entriesUpTo;
  const limit = ROWS_PER_READ_MAX;
  const entries = await desk.db.all(readGroupEntries, {
    roomNid: purge.roomNid,
    afterGroup,
    afterKey,
    limit,
  });
  for (const { eventNid } of entries) noteNid(needed, eventNid);
  needed.entriesUpTo = entries[entries.length - 1] ?? needed.entriesUpTo;
  return entries.length === limit;
}

/** Follows the auth events and redactions of a page of events that stay. True while there are more. */
async function followOnce(desk: PurgeDesk, needed: Needed): Promise<boolean> {
  const eventNids = JSON.stringify(needed.unseenNids.splice(0, ROWS_PER_READ_MAX));
  const eventIds = JSON.stringify(needed.unseenIds.splice(0, ROWS_PER_READ_MAX));
  const kept: KeptEvent[] = [
    ...(await desk.db.all(readKeptByNid, { eventNids })),
    ...(await desk.db.all(readKeptById, { eventIds })),
  ];
  for (const event of kept) {
    // Its own needs are noted here, under whichever name it came.
    needed.events.add(event.eventNid);
    needed.seenIds.add(event.eventId);
    noteNid(needed, event.redactedBy);
    noteAuthEvents(needed, event.authEvents);
  }
  return needed.unseenNids.length + needed.unseenIds.length > 0;
}

/** Everything that came since, followed to its end, within a turn. */
export async function findNewlyNeededEvents(desk: PurgeDesk, purge: Purge, needed: Needed): Promise<void> {
  await findNewlyNeeded(desk, purge, needed);
  while (await readEntries(desk, purge, needed)) continue;
  while (await followOnce(desk, needed)) continue;
}

/**
 * Finds out which events have to stay outside of the timeline: those of the current state, of the states that are left, of local memberships,
 * the auth chains and the redactions of all that stays.
 */
export async function findNeededEvents(
  desk: PurgeDesk,
  purge: Purge,
  needed: Needed,
): Promise<Refusal | undefined> {
  const { roomId, roomNid } = purge;
  let after = 0;
  const looked =
    (await runSlices(desk, roomId, async () => {
      const limit = ROWS_PER_READ_MAX;
      const page = await desk.db.all(readCurrentEventNids, { roomNid, after, limit });
      for (const { eventNid } of page) noteNid(needed, eventNid);
      after = page[page.length - 1]?.at ?? after;
      return page.length === limit;
    })) ??
    (await runSlices(desk, roomId, async () => {
      const nids = [readMembershipEventNids, readExtremityNids];
      for (const query of nids)
        for (const { eventNid } of await desk.db.all(query, { roomNid })) noteNid(needed, eventNid);
      return false;
    })) ??
    (await runSlices(desk, roomId, () => readEntries(desk, purge, needed)));
  return looked ?? runSlices(desk, roomId, () => followOnce(desk, needed));
}
