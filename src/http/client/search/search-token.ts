import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** Where a search goes on: what `next_batch` stands for. */
export interface SearchPlace {
  /** Events that came after the first page are left out, so that the others keep their places. */
  readonly upTo: number;
  /** How many that have the words were looked at. */
  readonly offset: number;
  /** Only what is in one group goes on; null: everything does. */
  readonly group: { readonly key: 'room_id' | 'sender'; readonly value: string } | null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The text of a place in a search. */
export function formatSearchPlace({ upTo, offset, group }: SearchPlace): string {
  const parts = group === null ? [upTo, offset] : [upTo, offset, group.key, group.value];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function decode(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Reads a place in a search.
 *
 * @returns refused with 400 M_INVALID_PARAM when it is not one of {@link formatSearchPlace}
 */
export function parseSearchPlace(token: string): SearchPlace | Refusal {
  const parts = decode(token);
  const [upTo, offset, key, value]: readonly unknown[] = Array.isArray(parts) ? parts : [];
  if (isCount(upTo) && isCount(offset)) {
    if (key === undefined) return { upTo, offset, group: null };
    const isGroup = key === 'room_id' || key === 'sender';
    if (isGroup && typeof value === 'string') return { upTo, offset, group: { key, value } };
  }
  return refuse('M_INVALID_PARAM', 'next_batch is not a token that this server gave out.');
}
