import type { ReadDb } from '../../db/kit/read-db.ts';
import { readGraphEvents } from '../../db/rooms/explain-reader.ts';
import { readExtremities } from '../../db/rooms/head-reader.ts';
import { findRoom, type RoomRecord } from '../../db/rooms/room-reader.ts';
import { type Refusal, refuse } from '../matrix/refusal.ts';
import { CURRENT, type StateAt } from './explanation.ts';
import type { HistoryNode } from './place-history.ts';

/** The room, or M_NOT_FOUND. */
export async function findKnownRoom(db: ReadDb, roomId: string): Promise<RoomRecord | Refusal> {
  return (
    (await findRoom(db, roomId)) ?? refuse('M_NOT_FOUND', `this server does not know the room ${roomId}`)
  );
}

async function currentState(db: ReadDb, room: RoomRecord): Promise<HistoryNode | Refusal> {
  const extremities = await readExtremities(db, room.roomNid);
  const [first, second] = extremities;
  const stateGroup = second === undefined ? (first?.stateGroup ?? null) : room.resolvedStateGroup;
  if (stateGroup === null) return refuse('M_NOT_FOUND', `the room ${room.roomId} has no current state here`);
  return {
    eventId: null,
    depth: Math.max(...extremities.map(({ depth }) => depth)),
    stateGroup,
    prevEventIds: extremities.map(({ eventId }) => eventId),
  };
}

/**
 * The state that a question means.
 *
 * @returns refused with M_NOT_FOUND when the event is not known in the room, or has no state
 */
export async function findStateAt(db: ReadDb, room: RoomRecord, at: StateAt): Promise<HistoryNode | Refusal> {
  if (at === CURRENT) return currentState(db, room);
  const [event] = await readGraphEvents(db, [at]);
  if (event?.roomNid !== room.roomNid)
    return refuse('M_NOT_FOUND', `the room ${room.roomId} has no event ${at} that this server knows`);
  const { stateGroup } = event;
  if (stateGroup === null)
    return refuse('M_NOT_FOUND', `the state at ${at} is not known: it stands outside of the room's timeline`);
  return { ...event, stateGroup };
}
