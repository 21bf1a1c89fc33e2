import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';

/**
 * A user's own push rule about one room, as a rule about another: conditions that look for the room look for the other one.
 * Client-Server API v1.19, "Push Rules", `event_match`.
 */
export function ruleForRoom(rule: JsonObject, fromRoomId: string, toRoomId: string): JsonObject {
  const { conditions } = rule;
  if (!Array.isArray(conditions)) return rule;
  return {
    ...rule,
    conditions: (conditions as readonly Json[]).map((condition) =>
      isJsonObject(condition) && condition['key'] === 'room_id' && condition['pattern'] === fromRoomId
        ? { ...condition, pattern: toRoomId }
        : condition,
    ),
  };
}
