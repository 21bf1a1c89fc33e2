import { parseEventId } from '../../matrix/identifiers/event-id.ts';
import { parseRoomId } from '../../matrix/identifiers/room-id.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';
import { CURRENT } from '../../state-resolution/explanation.ts';

/** Refuses what is not a room id with M_INVALID_PARAM. */
export function refuseRoomId(name: string, text: string): Refusal | undefined {
  if (parseRoomId(text) !== undefined) return undefined;
  return refuse('M_INVALID_PARAM', `The parameter "${name}" is not a room id.`);
}

/** Refuses what names no state, neither an event id nor the word for the current one, with M_INVALID_PARAM. */
export function refuseStateAt(name: string, text: string): Refusal | undefined {
  if (text === CURRENT || parseEventId(text) !== undefined) return undefined;
  return refuse('M_INVALID_PARAM', `The parameter "${name}" is neither an event id nor "${CURRENT}".`);
}
