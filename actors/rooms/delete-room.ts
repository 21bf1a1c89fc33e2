import { findDeletion } from '../../db/rooms/blocked-room-reader.ts';
import { readHighestGroup, readSomeEvents, type RoomInDeletion } from '../../db/rooms/deletion-reader.ts';
import {
  deleteSome,
  endDeletion,
  hideRoom,
  pruneEnded,
  ROOM_TABLES,
  type RoomTable,
  storeBlock,
} from '../../db/rooms/deletion-writer.ts';
import { deleteEvents } from '../../db/rooms/purge-writer.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import { eventSizeBytes } from '../../db/rooms/row-sizes.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { ActorRef } from '../kit/ref.ts';
import {
  endTheRest,
  LEAVE_ROUNDS_MAX,
  leaveAll,
  readActiveUsers,
  type Written,
  writeEnded,
} from './end-memberships.ts';
import type { DeletionRequest, Purged, RoomsProtocol } from './protocol.ts';
import {
  commitSlice,
  type PurgeDesk,
  type PurgeTally,
  readFile,
  ROWS_PER_READ_MAX,
  ROWS_PER_SLICE_MAX,
  runPhases,
  runSlice,
  runSlices,
  toPurged,
} from './purge-desk.ts';
import { deleteAllGroups } from './purge-groups.ts';

/** How long a client may be away and still be told that a room is gone. */
export const ENDED_MEMBERSHIP_AGE_MAX_MS = 180 * 24 * 60 * 60 * 1000;

/** What deleting rooms needs beside purging. */
export interface DeletionDesk extends PurgeDesk {
  /** The rooms actor's own address. */
  readonly self: ActorRef<RoomsProtocol>;
  /** Lets the other owners delete what they have of a room. Gives what it took, in bytes. */
  readonly forgetElsewhere: (room: RoomInDeletion) => Promise<number | Refusal>;
}

/** From here on nobody finds the room. Null: somebody has come back meanwhile. */
function hide(
  desk: DeletionDesk,
  room: RoomInDeletion,
  written: Written,
  mayForce: boolean,
): Promise<number | Refusal | null> {
  const { roomId, roomNid } = room;
  return runSlice(desk, roomId, async () => {
    if (!mayForce && (await readActiveUsers(desk, roomId)).length > 0) return null;
    const ended = await endTheRest(desk, roomId, written);
    if (isRefusal(ended)) return ended;
    const stateGroup = await readHighestGroup(desk.db, roomNid);
    const steps = [...ended.steps, ...hideRoom({ roomNid, roomId, stateGroup }, ended.rows.length)];
    const rows = [...ended.rows, { kind: 'room', roomId, change: 'deleted' } as const];
    const position = await desk.commit({ roomId, rows, steps, isOurs: false });
    if (isRefusal(position)) return position;
    const remembered = await desk.rooms.find(roomId);
    if (remembered !== undefined) desk.rooms.discard(remembered);
    return position + rows.length - 1;
  });
}

/** Local users leave, and then the room is gone for everybody. */
async function emptyAndHide(
  desk: DeletionDesk,
  room: RoomInDeletion,
  noteRemoved: (userIds: readonly string[]) => void,
): Promise<number | Refusal> {
  const { roomId } = room;
  const written: Written = new Map();
  for (let round = 1; ; round += 1) {
    const active = await readActiveUsers(desk, roomId);
    noteRemoved(active);
    await leaveAll(desk.self, roomId, active);
    const refusal = await writeEnded(desk, roomId, written, (steps) => commitSlice(desk, steps));
    if (refusal !== undefined) return refusal;
    const position = await hide(desk, room, written, round >= LEAVE_ROUNDS_MAX);
    if (position !== null) return position;
  }
}

/** Local users leave, and the room stays. */
async function emptyOnly(
  desk: DeletionDesk,
  roomId: string,
  noteRemoved: (userIds: readonly string[]) => void,
): Promise<Purged> {
  const active = await readActiveUsers(desk, roomId);
  await leaveAll(desk.self, roomId, active);
  const staying = new Set(await readActiveUsers(desk, roomId));
  noteRemoved(active.filter((userId) => !staying.has(userId)));
  const { freePages } = await readFile(desk.db);
  return toPurged(desk.db, { events: 0, stateGroups: 0, freedBytes: 0 }, freePages, desk.position());
}

function deleteAllEvents(
  desk: PurgeDesk,
  { roomId, roomNid }: RoomInDeletion,
  tally: PurgeTally,
): Promise<Refusal | undefined> {
  return runSlices(desk, roomId, async () => {
    const events = await readSomeEvents(desk.db, roomNid, ROWS_PER_SLICE_MAX);
    const nids = events.map(({ eventNid }) => eventNid);
    const refusal = await commitSlice(desk, deleteEvents(nids, null));
    if (refusal !== undefined) return refusal;
    tally.events += events.length;
    for (const event of events) tally.freedBytes += eventSizeBytes(event);
    return events.length > 0;
  });
}

function deleteTable(
  desk: PurgeDesk,
  { roomId, roomNid }: RoomInDeletion,
  table: RoomTable,
  tally: PurgeTally,
): Promise<Refusal | undefined> {
  return runSlices(desk, roomId, async () => {
    const outcome = await desk.write([deleteSome(table, roomNid, ROWS_PER_SLICE_MAX)]);
    if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, desk.config);
    if (outcome.kind === 'refused') throw new Error(`a deletion has no guard, yet ${outcome.refusal}`);
    const deleted = outcome.returned[0]?.length ?? 0;
    tally.freedBytes += deleted * table.rowBytes;
    return deleted === ROWS_PER_SLICE_MAX;
  });
}

/**
 * Deletes the rows of a room that nobody finds any more, a few at a time; what was begun in an earlier life goes on here.
 *
 * @returns a refusal when storage cannot be written: asked again, it goes on
 */
export async function finishDeletion(
  desk: DeletionDesk,
  room: RoomInDeletion,
  tally: PurgeTally,
): Promise<Refusal | undefined> {
  const { roomId, roomNid } = room;
  const elsewhere = async (): Promise<Refusal | undefined> => {
    const bytes = await desk.forgetElsewhere(room);
    if (typeof bytes !== 'number') return bytes;
    tally.freedBytes += bytes;
    return undefined;
  };
  return runPhases([
    () => deleteAllEvents(desk, room, tally),
    () => deleteAllGroups(desk, room, tally),
    ...ROOM_TABLES.map((table) => () => deleteTable(desk, room, table, tally)),
    elsewhere,
    () =>
      commitSlice(desk, [
        ...endDeletion(roomNid, roomId, ROWS_PER_READ_MAX),
        pruneEnded(desk.clock.now() - ENDED_MEMBERSHIP_AGE_MAX_MS, ROWS_PER_SLICE_MAX),
      ]),
  ]);
}

/** The room of a request: one that is known, or one whose deletion has begun. */
export async function findRoomToDelete(
  desk: Pick<PurgeDesk, 'db'>,
  roomId: string,
): Promise<(RoomInDeletion & { readonly isHidden: boolean }) | Refusal> {
  const room = await findRoom(desk.db, roomId);
  if (room !== undefined) return { roomNid: room.roomNid, roomId, isHidden: false };
  const begun = await desk.db.find(findDeletion, { roomId });
  if (begun !== undefined) return { roomNid: begun.roomNid, roomId, isHidden: true };
  return refuse('M_NOT_FOUND', `there is no room ${roomId} that this server knows`);
}

/**
 * Deletes a room. Its local users leave first, with events that other servers get, and whoever is away then is told at the next sync. Then the
 * room is gone for everybody at once, and its rows go in slices between which everybody else is served.
 *
 * @param noteRemoved is told which local users were in the room, were invited or knocked
 * @returns refused with M_NOT_FOUND, or when storage cannot be written: asked again, it goes on
 */
export async function deleteRoom(
  desk: DeletionDesk,
  { roomId, isBlocked, requestedBy, keepsRoom = false }: DeletionRequest,
  noteRemoved: (userIds: readonly string[]) => void = () => undefined,
): Promise<Purged | Refusal> {
  const room = await findRoomToDelete(desk, roomId);
  if (isRefusal(room)) return room;
  const { freePages } = await readFile(desk.db);
  const tally: PurgeTally = { events: 0, stateGroups: 0, freedBytes: 0 };
  if (isBlocked) {
    const refusal = await commitSlice(desk, [
      storeBlock(roomId, true, requestedBy ?? null, desk.clock.now()),
    ]);
    if (refusal !== undefined) return refusal;
  }
  if (keepsRoom) return emptyOnly(desk, roomId, noteRemoved);
  const position = room.isHidden ? desk.position() : await emptyAndHide(desk, room, noteRemoved);
  if (isRefusal(position)) return position;
  const refusal = await finishDeletion(desk, room, tally);
  return refusal ?? toPurged(desk.db, tally, freePages, position);
}
