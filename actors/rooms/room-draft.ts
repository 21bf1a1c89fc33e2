import type { Room } from './room-memory.ts';
import type { RoomState, StateEvent } from './room-state.ts';

function draftState(original: RoomState): RoomState {
  const set = new Map<string, StateEvent>();
  const nameOf = (type: string, stateKey: string): string => JSON.stringify([type, stateKey]);
  const findEvent = (type: string, stateKey: string): StateEvent | undefined =>
    set.get(nameOf(type, stateKey)) ?? original.findEvent(type, stateKey);
  return {
    ...original,
    findEvent,
    find: (type, stateKey) => findEvent(type, stateKey)?.pdu,
    set: (type, stateKey, event) => void set.set(nameOf(type, stateKey), event),
  };
}

/**
 * A copy of a room, to stage events on that may come to nothing: the room itself stays as it is. Whoever commits what was staged
 * on it discards the room afterwards.
 */
export function draftOf(room: Room): Room {
  return {
    ...room,
    state: draftState(room.state),
    redacting: new Set(room.redacting),
    annotating: new Set(room.annotating),
  };
}
