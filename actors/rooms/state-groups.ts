import type { ReadDb } from '../../db/kit/read-db.ts';
import { readStateGroupSize } from '../../db/rooms/head-reader.ts';
import type { StateGroupWrite } from '../../db/rooms/writer.ts';
import type { Room } from './room-memory.ts';

/** Gives out the numbers of state groups: the owner of rooms is the only one that makes any. */
export interface StateGroupNumbers {
  next(): number;
}

/**
 * A checkpoint is written when the groups since the last one are this part of the state's entries. A change then costs its own delta
 * and, amortised, two entries of a checkpoint, however large the room is; reading a state costs at most one and a half times its entries.
 */
export const CHECKPOINT_FRACTION = 1 / 2;
/** Below this many groups a checkpoint would save nothing. */
export const DELTAS_MIN = 16;

/** Makes sure that it is known how large the room's state is. */
export async function loadStateGroupSize(db: ReadDb, room: Room): Promise<void> {
  const { roomNid, stateGroup } = room;
  if (room.stateGroupSize !== null || stateGroup === null) return;
  const size = await readStateGroupSize(db, roomNid, stateGroup);
  room.stateGroupSize ??= size;
}

/**
 * The state group of the room's next event, before that event is in the room's memory. Counts a state event in.
 *
 * @param stateKey undefined for a message event: it shares the group that is there
 */
export function chooseStateGroup(
  room: Room,
  type: string,
  stateKey: string | undefined,
  numbers: StateGroupNumbers,
): StateGroupWrite {
  const { stateGroup: parent } = room;
  if (stateKey === undefined) {
    if (parent !== null) return { kind: 'existing', stateGroup: parent };
    room.stateGroupSize = null;
    return { kind: 'checkpoint', stateGroup: numbers.next() };
  }
  const size = room.stateGroupSize;
  if (size === null) return { kind: 'checkpoint', stateGroup: numbers.next() };
  const isNew = room.state.findEvent(type, stateKey) === undefined;
  const entries = size.entries + (isNew ? 1 : 0);
  const deltas = size.deltas + 1;
  if (parent === null || (deltas >= DELTAS_MIN && deltas >= entries * CHECKPOINT_FRACTION)) {
    room.stateGroupSize = { entries, deltas: 0 };
    return { kind: 'checkpoint', stateGroup: numbers.next() };
  }
  room.stateGroupSize = { entries, deltas };
  return { kind: 'delta', stateGroup: numbers.next(), parent };
}
