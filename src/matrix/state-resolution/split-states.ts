import type { RoomVersion } from '../rooms/room-versions.ts';
import type { StateMap } from './state-map.ts';

/** What states agree about, and what they do not. */
export interface SplitStates {
  readonly unconflicted: StateMap;
  /** By the name of each place the events that stand there, each once, in the order of the states. */
  readonly conflicted: ReadonlyMap<string, readonly string[]>;
}

/**
 * Parts the entries of states into those that no state disputes and the others.
 *
 * From version 2 on an entry is unconflicted when every state has it; one that some states lack is conflicted, even if it is the only
 * event at its place. In version 1 only different events at one place are a conflict. Room version 2 and room version 1, "State
 * resolution", v1.19.
 *
 * @param states at least one
 * @param algorithm whose definition counts. That of version 2 finds all the conflicts of version 1 too, so a loader may always use it
 */
export function splitStates(
  states: readonly StateMap[],
  algorithm: RoomVersion['stateResolution'] = 'v2',
): SplitStates {
  const [first, ...others] = states;
  if (first === undefined) throw new Error('there is no state to resolve');
  const unconflicted = new Map<string, string>();
  const conflicted = new Map<string, string[]>();
  const compare = (name: string, eventId: string): void => {
    const events = distinctAt(states, name, eventId);
    const isAgreed = events.length === 1 && (algorithm === 'v1' || states.every((state) => state.has(name)));
    if (isAgreed) unconflicted.set(name, eventId);
    else conflicted.set(name, events);
  };
  for (const [name, eventId] of first) {
    if (others.every((state) => state.get(name) === eventId)) unconflicted.set(name, eventId);
    else compare(name, eventId);
  }
  for (const state of others) {
    for (const [name, eventId] of state) {
      if (!unconflicted.has(name) && !conflicted.has(name)) compare(name, eventId);
    }
  }
  return { unconflicted, conflicted };
}

function distinctAt(states: readonly StateMap[], name: string, known: string): string[] {
  const events = [known];
  for (const state of states) {
    const eventId = state.get(name);
    if (eventId !== undefined && !events.includes(eventId)) events.push(eventId);
  }
  return events;
}
