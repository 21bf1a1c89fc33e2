import { isJsonObject } from '../kit/json.ts';
import type { Json, JsonObject } from '../kit/json.ts';

/** A path to a property, its escapes undone. */
export type DottedPath = readonly string[];

/**
 * Splits a dot-separated property path. `\.` is a dot within a key and `\\` a backslash; a backslash before anything else is itself.
 * Appendices v1.19, "Dot-separated property paths".
 */
export function parseDottedPath(text: string): DottedPath {
  const keys: string[] = [];
  let key = '';
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index] as string;
    const next = text[index + 1];
    if (char === '\\' && (next === '.' || next === '\\')) {
      key += next;
      index += 1;
    } else if (char === '.') {
      keys.push(key);
      key = '';
    } else {
      key += char;
    }
  }
  keys.push(key);
  return keys;
}

/** The value at a path; undefined where there is none. */
export function valueAt(object: JsonObject, path: DottedPath): Json | undefined {
  let value: Json | undefined = object;
  for (const key of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** A copy of an object with nothing but what is at the paths. */
export function selectPaths(object: JsonObject, paths: readonly DottedPath[]): JsonObject {
  const selected: Record<string, Json> = {};
  for (const [key, inner] of pathsByFirstKey(paths)) {
    if (!Object.hasOwn(object, key)) continue;
    const value = object[key] as Json;
    if (inner === 'all') setOwn(selected, key, value);
    else if (isJsonObject(value)) {
      const part = selectPaths(value, inner);
      if (Object.keys(part).length > 0) setOwn(selected, key, part);
    }
  }
  return selected;
}

function pathsByFirstKey(paths: readonly DottedPath[]): ReadonlyMap<string, DottedPath[] | 'all'> {
  const byKey = new Map<string, DottedPath[] | 'all'>();
  for (const [key, ...rest] of paths) {
    if (key === undefined) continue;
    const known = byKey.get(key);
    if (rest.length === 0) byKey.set(key, 'all');
    else if (known === undefined) byKey.set(key, [rest]);
    else if (known !== 'all') known.push(rest);
  }
  return byKey;
}

/** Sets a property even if it is called `__proto__`. */
function setOwn(object: Record<string, Json>, key: string, value: Json): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
