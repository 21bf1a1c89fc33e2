import { hash } from 'node:crypto';
import { type Refusal, refuse } from '../matrix/refusal.ts';

/** Rooms that paging through one hierarchy gives in all. */
export const HIERARCHY_ROOMS_MAX = 1_000;

/** What may not change from page to page. */
export interface HierarchyScope {
  readonly roomId: string;
  readonly userId: string;
  readonly suggestedOnly: boolean;
  /** Null when the client does not say. */
  readonly maxDepth: number | null;
}

/** Bytes that name a request among others, and a room among a thousand: two rooms look the same once in a million hierarchies. */
const SCOPE_BYTES = 8;
const ROOM_BYTES = 5;

const TOKEN = /^[A-Za-z0-9_-]+$/;

function digest(text: string, bytes: number): Buffer {
  return hash('sha256', text, 'buffer').subarray(0, bytes);
}

function scopeDigest({ roomId, userId, suggestedOnly, maxDepth }: HierarchyScope): Buffer {
  return digest(JSON.stringify([roomId, userId, suggestedOnly, maxDepth]), SCOPE_BYTES);
}

/** The mark of a room in a token. */
export function roomMark(roomId: string): string {
  return digest(roomId, ROOM_BYTES).toString('base64url');
}

/**
 * Makes the token of the next page: it names the rooms that were given, so that each is given once whatever happens to the space meanwhile,
 * and any thread can go on.
 *
 * @param marks of all rooms that were given, on this page and before
 */
export function formatHierarchyToken(scope: HierarchyScope, marks: Iterable<string>): string {
  const rooms = [...marks].map((mark) => Buffer.from(mark, 'base64url'));
  return Buffer.concat([scopeDigest(scope), ...rooms]).toString('base64url');
}

/**
 * Reads a token.
 *
 * @returns the marks of the rooms that were given; refused with M_INVALID_PARAM for what is no token of this request
 */
export function parseHierarchyToken(
  scope: HierarchyScope,
  token: string,
): { readonly kind: 'given'; readonly marks: ReadonlySet<string> } | Refusal {
  const bytes = TOKEN.test(token) ? Buffer.from(token, 'base64url') : Buffer.alloc(0);
  const count = (bytes.length - SCOPE_BYTES) / ROOM_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > HIERARCHY_ROOMS_MAX)
    return refuse('M_INVALID_PARAM', 'from: this is not a token that this server gave out.');
  if (!bytes.subarray(0, SCOPE_BYTES).equals(scopeDigest(scope)))
    return refuse('M_INVALID_PARAM', 'from: suggested_only and max_depth cannot change from page to page.');
  const marks = Array.from({ length: count }, (_, index) => {
    const start = SCOPE_BYTES + index * ROOM_BYTES;
    return bytes.subarray(start, start + ROOM_BYTES).toString('base64url');
  });
  return { kind: 'given', marks: new Set(marks) };
}
