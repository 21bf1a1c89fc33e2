import { isUtf8 } from 'node:buffer';
import type { Json } from '../../kit/json.ts';
import { type Refusal, refuse } from '../../matrix/refusal.ts';

/** How deep lists and objects of a request may nest. */
export const JSON_DEPTH_MAX = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** What a look at the text alone tells: how deep it nests, and how many object keys are written. */
interface Outline {
  readonly depth: number;
  readonly keys: number;
}

/** The index after the text whose opening quote stands at `from`. */
function endOfText(text: string, from: number): number {
  let quote = text.indexOf('"', from + 1);
  while (quote !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

/** Linear in the length: it runs before anything that could recurse. */
function outlineOf(text: string): Outline {
  let depth = 0;
  let deepest = 0;
  let keys = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) index = endOfText(text, index) - 1;
    else if (code === COLON) keys += 1;
    else if (code === OPENING_BRACE || code === OPENING_BRACKET) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) depth -= 1;
  }
  return { depth: deepest, keys };
}

/** What is wrong with a value that `JSON.parse` let through, and how many keys it kept. */
interface Inspection {
  keys: number;
  problem: string | null;
}

function inspectText(text: string, inspection: Inspection): void {
  if (!text.isWellFormed()) inspection.problem = 'a text holds half of a surrogate pair';
}

/** Recursion is safe: the nesting was bounded before. */
function inspect(value: Json, inspection: Inspection): void {
  if (typeof value === 'string') inspectText(value, inspection);
  else if (typeof value === 'number') {
    if (!Number.isFinite(value)) inspection.problem = 'a number is too large';
  } else if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) inspect(item, inspection);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      inspection.keys += 1;
      if (key === '__proto__') inspection.problem = 'the key "__proto__" is not allowed';
      inspectText(key, inspection);
      inspect(item, inspection);
    }
  }
}

function notJson(detail: string): Refusal {
  return refuse('M_NOT_JSON', `The body is not JSON: ${detail}.`);
}

/** The JSON text of a body, parsed. */
export interface ParsedJson {
  readonly kind: 'parsed';
  readonly value: Json;
}

/**
 * Parses a request's JSON strictly, so that nobody downstream can read two things out of one text.
 *
 * Refused with `M_NOT_JSON`: what is not UTF-8, begins with a byte order mark, or is not JSON. Refused with `M_BAD_JSON`: nesting beyond
 * {@link JSON_DEPTH_MAX}, a key twice in one object, a key `__proto__`, half of a surrogate pair (it has no UTF-8), and a number
 * that no double holds. Client-Server API v1.19, "Standard error response".
 */
export function parseStrictJson(bytes: Buffer): ParsedJson | Refusal {
  if (!isUtf8(bytes)) return notJson('it is not UTF-8');
  const text = bytes.toString('utf8');
  const outline = outlineOf(text);
  if (outline.depth > JSON_DEPTH_MAX)
    return refuse('M_BAD_JSON', `The body nests deeper than ${JSON_DEPTH_MAX} levels.`);
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return notJson('it cannot be parsed');
  }
  const inspection: Inspection = { keys: 0, problem: null };
  inspect(value, inspection);
  if (inspection.problem !== null) return refuse('M_BAD_JSON', `In the body, ${inspection.problem}.`);
  if (inspection.keys !== outline.keys)
    return refuse('M_BAD_JSON', 'In the body, an object has a key twice.');
  return { kind: 'parsed', value };
}
