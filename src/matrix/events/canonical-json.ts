import type { Json, JsonObject } from '../../kit/json.ts';

/**
 * `strict`: integers from −(2^53 − 1) to 2^53 − 1, no negative zero, well-formed Unicode (room version 6 and later, and all signed
 * JSON outside of rooms). `lenient`: other finite numbers are written as they came (room versions 1–5).
 */
export type CanonicalMode = 'strict' | 'lenient';

/** The deepest nesting of lists and objects that is written: deeper JSON would let a stranger exhaust the stack. */
export const JSON_NESTING_MAX = 1_000;

/**
 * Writes canonical JSON: no white space, keys in the order of their Unicode code points, the shortest escapes.
 * Appendices v1.19, "Canonical JSON".
 *
 * @returns undefined when the value cannot be written: a number that the mode does not allow, a lone surrogate (strict), or too deep
 */
export function canonicalJson(value: Json, mode: CanonicalMode = 'strict'): string | undefined {
  return write(value, mode === 'strict', 0);
}

/**
 * Writes an object without some of its keys, which saves a copy where hashes and signatures are taken.
 *
 * @returns undefined as {@link canonicalJson}
 */
export function canonicalJsonWithout(
  object: JsonObject,
  without: ReadonlySet<string>,
  mode: CanonicalMode = 'strict',
): string | undefined {
  const keys = Object.keys(object).filter((key) => !without.has(key));
  return writeObject(object, keys, mode === 'strict', 0);
}

/** Writes a text as a JSON string in canonical form. */
export function canonicalString(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** Orders texts by their Unicode code points; `<` orders by UTF-16 units, which differs above U+FFFF. */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index += 1) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/**
 * Reads JSON text and refuses the numbers that canonical JSON forbids even when their value is an integer (`1.0`, `1e5`, `-0`),
 * which cannot be seen any more in a parsed value.
 *
 * @returns undefined when the text is not JSON or has such a number
 */
export function parseStrictJson(text: string): Json | undefined {
  let strict = true;
  try {
    const value = JSON.parse(text, (_key, parsed: Json, context?: { readonly source?: string }) => {
      if (typeof parsed === 'number')
        strict &&= isStrictNumber(parsed) && INTEGER.test(context?.source ?? '');
      return parsed;
    }) as Json;
    return strict ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const INTEGER = /^-?[0-9]+$/;
/** Lone surrogates, and control characters: a few more than must be escaped, which does no harm. */
const NEEDS_ESCAPE = /["\\\p{Cc}\p{Cs}]/u;
const SURROGATE_FIRST = 0xd800;
const SURROGATE_LAST = 0xdfff;

/** A UTF-16 unit's place in code-point order: surrogates stand for what is above every other unit. */
function rank(unit: number): number {
  return unit >= SURROGATE_FIRST && unit <= SURROGATE_LAST ? unit + 0x1_0000 : unit;
}

function isStrictNumber(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

function write(value: Json, strict: boolean, depth: number): string | undefined {
  if (typeof value === 'string') return strict && !value.isWellFormed() ? undefined : canonicalString(value);
  if (typeof value === 'number') return writeNumber(value, strict);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return 'null';
  if (typeof value !== 'object' || depth >= JSON_NESTING_MAX) return undefined;
  if (Array.isArray(value)) return writeList(value as readonly Json[], strict, depth + 1);
  return writeObject(value as JsonObject, Object.keys(value), strict, depth + 1);
}

function writeNumber(value: number, strict: boolean): string | undefined {
  if (strict) return isStrictNumber(value) ? String(value) : undefined;
  return Number.isFinite(value) ? JSON.stringify(value) : undefined;
}

function writeList(list: readonly Json[], strict: boolean, depth: number): string | undefined {
  let text = '[';
  for (let index = 0; index < list.length; index += 1) {
    const item = write(list[index] as Json, strict, depth);
    if (item === undefined) return undefined;
    text += index === 0 ? item : `,${item}`;
  }
  return `${text}]`;
}

function writeObject(object: JsonObject, keys: string[], strict: boolean, depth: number): string | undefined {
  if (!areSorted(keys)) keys.sort(compareCodePoints);
  let text = '{';
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    if (strict && !key.isWellFormed()) return undefined;
    const value = write(object[key] as Json, strict, depth);
    if (value === undefined) return undefined;
    text += index === 0 ? `${canonicalString(key)}:${value}` : `,${canonicalString(key)}:${value}`;
  }
  return `${text}}`;
}

function areSorted(keys: readonly string[]): boolean {
  for (let index = 1; index < keys.length; index += 1) {
    if (compareCodePoints(keys[index - 1] as string, keys[index] as string) > 0) return false;
  }
  return true;
}
