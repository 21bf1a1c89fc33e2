import type { StateKey } from '../rooms/auth-decision.ts';

/** One state of a room: by the name of each place (see {@link stateName}) the id of the event that stands there. */
export type StateMap = ReadonlyMap<string, string>;

/** Names a place of the state in one text: no type holds the separator, for a type with it is not well-formed to anybody. */
export function stateName(type: string, stateKey: string): string {
  return `${type}\u0000${stateKey}`;
}

/** The place that a name of {@link stateName} stands for. */
export function stateKeyOf(name: string): StateKey {
  const end = name.indexOf('\u0000');
  return { type: name.slice(0, end), stateKey: name.slice(end + 1) };
}
