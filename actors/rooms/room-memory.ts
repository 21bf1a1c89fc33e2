import type { ReadDb } from '../../db/kit/read-db.ts';
import { type ForwardExtremity, readExtremities } from '../../db/rooms/head-reader.ts';
import { findPartialRoom } from '../../db/rooms/partial-reader.ts';
import { findRoom, type RoomRecord } from '../../db/rooms/room-reader.ts';
import type { EventReference } from '../../src/matrix/events/build-event.ts';
import { getRoomVersion, type RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { createRoomState, currentStateSource, type RoomState } from './room-state.ts';
import { referenceOf } from './stored-pdu.ts';

/** Rooms in memory. */
export const ROOMS_IN_MEMORY_MAX = 5_000;
/** The sum of what the state of all rooms in memory takes, about. */
export const STATE_IN_MEMORY_BYTES_MAX = 32 * 1024 * 1024;
/** What a room takes beside its state, about. */
const ROOM_BYTES = 1_000;

/**
 * A room as its next event sees it: what was staged is in it, committed or not. When a commit fails, the whole room is
 * thrown away and read again.
 */
export interface Room {
  readonly roomNid: number;
  readonly roomId: string;
  readonly version: RoomVersion;
  /** Member events are missing from its states: whose is not there is not known, which is not the same as not being in the room. */
  readonly isPartial: boolean;
  readonly state: RoomState;
  /** The events that the next event follows. */
  extremities: readonly EventReference[];
  /** The greatest depth among the extremities. */
  depth: number;
  /** The group of the current state; null in a room without events. */
  stateGroup: number | null;
  /** Events whose redaction waits for its commit. */
  readonly redacting: Set<string>;
  /** Annotations that wait for their commit. */
  readonly annotating: Set<string>;
  /** Handlers at work on it, and writes that wait for their commit. A room with any is never dropped for space. */
  holds: number;
}

/** The rooms in memory, the least recently used ones dropped when there are too many. */
export interface RoomMemory {
  /** The room; undefined when this server is not in it: it does not know it, has left it, or was only invited. */
  find(roomId: string): Room | Promise<Room | undefined>;
  /** Keeps a room that was just made and committed. */
  keep(room: Room): void;
  /** Forgets what is in memory of a room: what was staged is void. */
  discard(room: Room): void;
  /** Drops idle rooms until the bounds hold. */
  trim(): void;
  /** How many rooms are in memory. */
  count(): number;
}

/** A room that is being made: nothing is stored yet. */
export function newRoom(roomNid: number, roomId: string, version: RoomVersion): Room {
  return {
    roomNid,
    roomId,
    version,
    isPartial: false,
    state: createRoomState(null),
    extremities: [],
    depth: 0,
    stateGroup: null,
    redacting: new Set(),
    annotating: new Set(),
    holds: 0,
  };
}

/** The group of the current state: that of the one extremity, or what several were resolved to. */
function currentStateGroup(record: RoomRecord, extremities: readonly ForwardExtremity[]): number | null {
  const [first, second] = extremities;
  return second === undefined ? (first?.stateGroup ?? null) : record.resolvedStateGroup;
}

async function readRoom(db: ReadDb, roomId: string): Promise<Room | undefined> {
  return db.snapshot(async (world) => {
    const record = await findRoom(world, roomId);
    if (record === undefined) return undefined;
    const version = getRoomVersion(record.roomVersion);
    const extremities = await readExtremities(world, record.roomNid);
    if (extremities.length === 0) return undefined;
    return {
      roomNid: record.roomNid,
      roomId,
      version,
      isPartial: (await findPartialRoom(world, roomId)) !== undefined,
      state: createRoomState(currentStateSource(db, roomId, version)),
      extremities: extremities.map(({ eventId, pdu }) => referenceOf(version, eventId, pdu)),
      depth: Math.max(0, ...extremities.map(({ depth }) => depth)),
      stateGroup: currentStateGroup(record, extremities),
      redacting: new Set(),
      annotating: new Set(),
      holds: 0,
    };
  });
}

/** Makes an empty memory; rooms come from `db` when they are first needed. */
export function createRoomMemory(
  db: ReadDb,
  bounds: { readonly roomsMax: number; readonly stateBytesMax: number } = {
    roomsMax: ROOMS_IN_MEMORY_MAX,
    stateBytesMax: STATE_IN_MEMORY_BYTES_MAX,
  },
): RoomMemory {
  // In order of use: the one used longest ago comes first.
  const rooms = new Map<string, { readonly room: Room; sizeBytes: number }>();
  let totalBytes = 0;

  const drop = (room: Room): void => {
    const held = rooms.get(room.roomId);
    if (held?.room !== room) return;
    totalBytes -= held.sizeBytes;
    rooms.delete(room.roomId);
  };
  const measure = (held: { readonly room: Room; sizeBytes: number }): void => {
    const sizeBytes = ROOM_BYTES + held.room.state.sizeBytes();
    totalBytes += sizeBytes - held.sizeBytes;
    held.sizeBytes = sizeBytes;
  };
  const keep = (room: Room): Room => {
    const held = rooms.get(room.roomId);
    if (held !== undefined) return held.room;
    const kept = { room, sizeBytes: 0 };
    rooms.set(room.roomId, kept);
    measure(kept);
    return room;
  };

  return {
    find(roomId) {
      const held = rooms.get(roomId);
      if (held === undefined) return readRoom(db, roomId).then((room) => room && keep(room));
      measure(held);
      rooms.delete(roomId);
      rooms.set(roomId, held);
      return held.room;
    },
    keep,
    discard: drop,
    trim() {
      if (rooms.size <= bounds.roomsMax && totalBytes <= bounds.stateBytesMax) return;
      for (const { room } of rooms.values()) {
        if (rooms.size <= bounds.roomsMax && totalBytes <= bounds.stateBytesMax) return;
        if (room.holds === 0) drop(room);
      }
    },
    count: () => rooms.size,
  };
}
