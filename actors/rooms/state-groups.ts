import type { StateGroupChange, StateGroupWrite } from '../../db/rooms/state-group-writer.ts';
import type { Room } from './room-memory.ts';

/** Gives out the numbers of state groups: the owner of rooms is the only one that makes any. */
export interface StateGroupNumbers {
  next(): number;
}

/**
 * A state that follows any other, stored or staged: how it is laid out is decided when it is stored, so that nothing needs to be known of
 * the parent here. Staged groups are stored in the order of their numbers.
 *
 * @param parent null: the state is made of nothing but the changes
 * @param changes no two of the same place; none: the parent itself
 * @throws when there is neither a parent nor a change: there is no such state
 */
export function planStateGroup(
  parent: number | null,
  changes: readonly StateGroupChange[],
  numbers: StateGroupNumbers,
): StateGroupWrite {
  if (changes.length > 0)
    return { kind: 'new', stateGroup: numbers.next(), parent, changes, isCheckpoint: false };
  if (parent === null) throw new Error('a state without a parent and without a change');
  return { kind: 'existing', stateGroup: parent };
}

/**
 * The state group of the room's next event, before that event is in the room's memory.
 *
 * @param own the state entry that the event sets; undefined for a message event: it shares the group that is there
 */
export function chooseStateGroup(
  room: Room,
  own: (StateGroupChange & { readonly eventId: string }) | undefined,
  numbers: StateGroupNumbers,
): StateGroupWrite {
  const { stateGroup: parent } = room;
  if (own === undefined) {
    if (parent === null) throw new Error(`a message in ${room.roomId}, which has no state yet`);
    return { kind: 'existing', stateGroup: parent };
  }
  // What the memory of the room knows need not be looked up.
  const entriesAdded = room.state.findEvent(own.type, own.stateKey) === undefined ? 1 : 0;
  return {
    kind: 'new',
    stateGroup: numbers.next(),
    parent,
    changes: [own],
    isCheckpoint: false,
    entriesAdded,
  };
}
