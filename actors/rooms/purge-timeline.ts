import { setPurgedUpTo, deleteEvents, takeOutOfTimeline } from '../../db/rooms/purge-writer.ts';
import {
  type HiddenEvent,
  readHiddenPage,
  readTimelineCandidates,
  type TimelineCandidate,
} from '../../db/rooms/purge-reader.ts';
import { eventSizeBytes } from '../../db/rooms/row-sizes.ts';
import { ROOM_START, type TopologicalPlace } from '../../db/rooms/timeline-reader.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { commitSlice, type PurgeDesk, type PurgeTally, ROWS_PER_SLICE_MAX, runSlices } from './purge-desk.ts';

/** A purge that goes on. */
export interface Purge {
  readonly roomId: string;
  readonly roomNid: number;
  /** The event that stays, and with it what comes after it. */
  readonly before: TopologicalPlace;
  readonly beforeNid: number;
  /** Of the events stream: what is stored after this is not looked at. */
  readonly begunAt: number;
  readonly deleteLocalEvents: boolean;
  readonly tally: PurgeTally;
}

/** An event outside of the timeline that goes unless something that stays needs it. */
export function isOldHidden(purge: Purge, event: HiddenEvent): boolean {
  return event.depth < purge.before.depth && event.eventNid <= purge.begunAt;
}

function staysInTimeline(desk: PurgeDesk, purge: Purge, event: TimelineCandidate): boolean {
  if (event.isExtremity) return true;
  return !purge.deleteLocalEvents && isOfServer(event.sender, desk.serverName);
}

/** State may be needed by what stays, and a redaction by what it redacts: whether they are is known only when the timeline is done. */
function isForLater(event: TimelineCandidate): boolean {
  return event.isState || event.isRedaction;
}

async function emptySlice(
  desk: PurgeDesk,
  purge: Purge,
  page: readonly TimelineCandidate[],
): Promise<Refusal | undefined> {
  const gone = page.filter((event) => !staysInTimeline(desk, purge, event));
  if (gone.length === 0) return undefined;
  const deleted = gone.filter((event) => !isForLater(event));
  const hidden = gone.filter(isForLater);
  const upTo = Math.max(...gone.map((event) => event.streamOrdering));
  const refusal = await commitSlice(desk, [
    ...setPurgedUpTo(purge.roomNid, upTo, ROWS_PER_SLICE_MAX),
    ...deleteEvents(
      deleted.map((event) => event.eventNid),
      purge.beforeNid,
    ),
    ...takeOutOfTimeline(hidden.map((event) => event.eventNid)),
  ]);
  if (refusal !== undefined) return refusal;
  purge.tally.events += deleted.length;
  for (const event of deleted) purge.tally.freedBytes += eventSizeBytes(event);
  return undefined;
}

/** Takes everything before the purge's event out of the timeline: messages are deleted, state events stay outside of it until it is known what needs them. */
export function emptyTimeline(desk: PurgeDesk, purge: Purge): Promise<Refusal | undefined> {
  let from = ROOM_START;
  return runSlices(desk, purge.roomId, async () => {
    const { roomNid, before } = purge;
    const page = await readTimelineCandidates(desk.db, roomNid, from, before, ROWS_PER_SLICE_MAX);
    const refusal = await emptySlice(desk, purge, page);
    if (refusal !== undefined) return refusal;
    const last = page[page.length - 1];
    if (last !== undefined) from = { depth: last.depth, streamOrdering: last.streamOrdering };
    return page.length === ROWS_PER_SLICE_MAX;
  });
}

/** Takes their states from old events outside of the timeline, so that these states can go. */
export function forgetHiddenStates(desk: PurgeDesk, purge: Purge): Promise<Refusal | undefined> {
  let after = 0;
  return runSlices(desk, purge.roomId, async () => {
    const page = await readHiddenPage(desk.db, purge.roomNid, after, ROWS_PER_SLICE_MAX);
    const old = page.filter((event) => event.stateGroup !== null && isOldHidden(purge, event));
    const refusal = await commitSlice(desk, takeOutOfTimeline(old.map((event) => event.eventNid)));
    if (isRefusal(refusal)) return refusal;
    after = page[page.length - 1]?.eventNid ?? after;
    return page.length === ROWS_PER_SLICE_MAX;
  });
}
