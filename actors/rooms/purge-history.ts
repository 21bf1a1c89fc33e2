import { findEvent, type StoredEvent } from '../../db/rooms/event-reader.ts';
import { insertRoomChange } from '../../db/rooms/out-of-band-writer.ts';
import { findPartialRoom } from '../../db/rooms/partial-reader.ts';
import { readHiddenPage } from '../../db/rooms/purge-reader.ts';
import { deleteEvents } from '../../db/rooms/purge-writer.ts';
import { findRoom, type RoomRecord } from '../../db/rooms/room-reader.ts';
import { eventSizeBytes } from '../../db/rooms/row-sizes.ts';
import { step } from '../../db/kit/write-set.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { Purged, PurgeRequest } from './protocol.ts';
import {
  commitSlice,
  type PurgeDesk,
  readFile,
  ROWS_PER_SLICE_MAX,
  runPhases,
  runSlices,
  runSlice,
  toPurged,
} from './purge-desk.ts';
import { purgeGroups } from './purge-groups.ts';
import {
  findNeededEvents,
  findNeededStates,
  findNewlyNeededEvents,
  type Needed,
  nothingNeeded,
} from './purge-needs.ts';
import { emptyTimeline, forgetHiddenStates, isOldHidden, type Purge } from './purge-timeline.ts';

/** Deletes what lies outside of the timeline and nothing needs. */
function sweep(desk: PurgeDesk, purge: Purge, needed: Needed): Promise<Refusal | undefined> {
  let after = 0;
  return runSlices(desk, purge.roomId, async () => {
    await findNewlyNeededEvents(desk, purge, needed);
    const page = await readHiddenPage(desk.db, purge.roomNid, after, ROWS_PER_SLICE_MAX);
    const gone = page.filter((event) => isOldHidden(purge, event) && !needed.events.has(event.eventNid));
    const nids = gone.map((event) => event.eventNid);
    const refusal = await commitSlice(desk, deleteEvents(nids, purge.beforeNid));
    if (refusal !== undefined) return refusal;
    purge.tally.events += gone.length;
    for (const event of gone) purge.tally.freedBytes += eventSizeBytes(event);
    after = page[page.length - 1]?.eventNid ?? after;
    return page.length === ROWS_PER_SLICE_MAX;
  });
}

/** Tells every thread that what it holds of the room may be gone. Gives the position of that. */
function announce(desk: PurgeDesk, roomId: string): Promise<number | Refusal> {
  return runSlice(desk, roomId, () =>
    desk.commit({
      roomId,
      rows: [{ kind: 'room', roomId, change: 'purged' }],
      steps: [step(insertRoomChange, { roomId, change: 'purged' }, { positionOffset: 0 })],
      isOurs: false,
    }),
  );
}

/** What a purge is about, or why there is none. */
export async function checkPurge(
  desk: Pick<PurgeDesk, 'db'>,
  { roomId, beforeEventId }: PurgeRequest,
): Promise<{ readonly room: RoomRecord; readonly event: StoredEvent } | Refusal> {
  const room = await findRoom(desk.db, roomId);
  if (room === undefined) return refuse('M_NOT_FOUND', `there is no room ${roomId} that this server knows`);
  if ((await findPartialRoom(desk.db, roomId)) !== undefined)
    return refuse(
      'M_UNKNOWN',
      'the members of this room are still being fetched from other servers: purge its history when they are known',
      { status: 503 },
    );
  const event = await findEvent(desk.db, beforeEventId);
  if (event === undefined || event.roomId !== roomId)
    return refuse('M_NOT_FOUND', `there is no event ${beforeEventId} in this room`);
  if (event.streamOrdering === null || event.rejection !== null)
    return refuse('M_BAD_JSON', `the event ${beforeEventId} is not in the timeline`);
  return { room, event };
}

/**
 * Deletes the history of a room before an event, in the order of `/messages`. It goes in slices between which everybody else is served; when
 * it ends before its time (storage is full, the server stops) the room is whole all the same, and the same purge asked again goes on.
 *
 * @returns refused with M_NOT_FOUND, M_BAD_JSON, M_UNKNOWN (503) while the room's state is not whole, or when storage cannot be written
 */
export async function purgeHistory(desk: PurgeDesk, request: PurgeRequest): Promise<Purged | Refusal> {
  const { roomId, deleteLocalEvents } = request;
  const checked = await checkPurge(desk, request);
  if (isRefusal(checked)) return checked;
  const { room, event } = checked;
  const { freePages } = await readFile(desk.db);
  const purge: Purge = {
    roomId,
    roomNid: room.roomNid,
    before: { depth: event.depth, streamOrdering: event.streamOrdering ?? 0 },
    beforeNid: event.eventNid,
    begunAt: desk.position(),
    deleteLocalEvents,
    tally: { events: 0, stateGroups: 0, freedBytes: 0 },
  };
  const needed = nothingNeeded();
  const refusal = await runPhases([
    () => emptyTimeline(desk, purge),
    () => forgetHiddenStates(desk, purge),
    () => findNeededStates(desk, purge, needed),
    () => purgeGroups(desk, purge, needed),
    () => findNeededEvents(desk, purge, needed),
    () => sweep(desk, purge, needed),
  ]);
  if (refusal !== undefined) return refusal;
  const position = await announce(desk, roomId);
  return isRefusal(position) ? position : toPurged(desk.db, purge.tally, freePages, position);
}
