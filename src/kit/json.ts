/** A JSON value as it comes out of `JSON.parse`. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** True for a JSON object: not null, not a list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** True when lists and objects nest deeper than `levelsMax`. It walks without recursion: whoever wrote the JSON chose how deep it goes. */
export function nestsBeyond(whole: Json, levelsMax: number): boolean {
  let level: readonly Json[] = [whole];
  for (let depth = 0; level.length > 0; depth += 1) {
    const next: Json[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      if (depth >= levelsMax) return true;
      for (const part of Object.values(value) as readonly Json[]) next.push(part);
    }
    level = next;
  }
  return false;
}
