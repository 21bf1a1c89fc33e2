import type { JsonObject } from '../../src/kit/json.ts';

/** A copy of a content without some of its keys. */
export function withoutKeys(content: JsonObject, ...keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(content).filter(([key]) => !keys.includes(key)));
}
