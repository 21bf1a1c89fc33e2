import type { JsonObject } from '../../kit/json.ts';
import type { Pdu } from './pdu.ts';

/**
 * The types whose events (with an empty state key) tell an invited or knocking user what the room is.
 * Client-Server API v1.19, "Stripped state"; `m.room.create` is required since v1.16.
 */
export const STRIPPED_STATE_TYPES: readonly string[] = [
  'm.room.create',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.encryption',
];

/** A state event with nothing but `type`, `state_key`, `sender` and `content`. */
export function toStrippedState(pdu: Pdu): JsonObject {
  return { content: pdu.content, sender: pdu.sender, state_key: pdu.state_key ?? '', type: pdu.type };
}
