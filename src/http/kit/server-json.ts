import { isUtf8 } from 'node:buffer';
import { type Json, type JsonObject, isJsonObject } from '../../kit/json.ts';
import { JSON_NESTING_MAX } from '../../matrix/events/canonical-json.ts';
import { type Refusal, isRefusal, refuse } from '../../matrix/refusal.ts';

/** The JSON body of another server's request. */
export interface ServerJson {
  readonly kind: 'parsed';
  /** What the handler gets: without the list items that nobody should have to read. */
  readonly value: Json;
  /** How many those were. */
  readonly dropped: number;
  /** All of it, as it was signed. */
  readonly signed: Json;
  /** The same as text. */
  readonly text: string;
}

/** What is wrong with one value, looked at without its parts. */
function ownProblem(value: Json): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'half of a surrogate pair';
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'a number that is too large';
  if (!isJsonObject(value)) return undefined;
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return 'a key "__proto__"';
    if (!key.isWellFormed()) return 'half of a surrogate pair';
  }
  return undefined;
}

/** What is wrong somewhere in a value. It may nest as deep as its sender likes, so it is not walked by recursion. */
function problemOf(whole: Json): string | undefined {
  let level: readonly Json[] = [whole];
  for (let depth = 0; level.length > 0; depth += 1) {
    const next: Json[] = [];
    for (const value of level) {
      const problem = ownProblem(value);
      if (problem !== undefined) return problem;
      if (typeof value !== 'object' || value === null) continue;
      if (depth >= JSON_NESTING_MAX) return `nesting beyond ${JSON_NESTING_MAX} levels`;
      for (const part of Object.values(value) as readonly Json[]) next.push(part);
    }
    level = next;
  }
  return undefined;
}

function badJson(problem: string): Refusal {
  return refuse('M_BAD_JSON', `The body holds ${problem}.`);
}

/** Leaves out the items of its lists that have a problem; where something else has one, the body is refused. */
function withoutBadItems(
  body: JsonObject,
): { readonly value: JsonObject; readonly dropped: number } | Refusal {
  const kept: [string, Json][] = [];
  let dropped = 0;
  for (const [name, field] of Object.entries(body)) {
    if (Array.isArray(field)) {
      const items = (field as readonly Json[]).filter((item) => problemOf(item) === undefined);
      dropped += field.length - items.length;
      kept.push([name, items]);
    } else {
      const problem = problemOf({ [name]: field });
      if (problem !== undefined) return badJson(problem);
      kept.push([name, field]);
    }
  }
  return { value: Object.fromEntries(kept), dropped };
}

/**
 * Reads the JSON of another server. What one event of a transaction does wrong shall not cost the others: an item of a list at the top (`pdus`,
 * `edus`) that nests too deep, or has a key `__proto__`, half of a surrogate pair or a number that no double holds, is left out. Of a key that
 * stands twice in an object the last counts, as with all other servers: signatures and hashes decide what that is worth.
 * Server-Server API v1.19, "Transactions".
 *
 * Refused with `M_NOT_JSON`: what is not UTF-8, begins with a byte order mark, or is not JSON; with `M_BAD_JSON`: what is wrong outside of such a list.
 */
export function parseServerJson(bytes: Buffer): ServerJson | Refusal {
  if (!isUtf8(bytes)) return refuse('M_NOT_JSON', 'The body is not JSON: it is not UTF-8.');
  const text = bytes.toString('utf8');
  let signed: Json;
  try {
    signed = JSON.parse(text) as Json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return refuse('M_NOT_JSON', 'The body is not JSON: it cannot be parsed.');
  }
  const problem = problemOf(signed);
  if (problem === undefined) return { kind: 'parsed', value: signed, dropped: 0, signed, text };
  if (!isJsonObject(signed)) return badJson(problem);
  const sound = withoutBadItems(signed);
  return isRefusal(sound) ? sound : { kind: 'parsed', ...sound, signed, text };
}
