import { fitsInBytes, IDENTIFIER_BYTES_MAX } from './brand.ts';
import type { Brand } from './brand.ts';

/** `$opaque:domain` in room versions 1 and 2, `$` and a reference hash later. */
export type EventId = Brand<'EventId'>;

/**
 * Reads an event id of any room version; to clients and between rooms it is opaque.
 * Appendices v1.19, "Event IDs".
 *
 * @returns the id itself, or undefined when the text is not one
 */
export function parseEventId(text: string): EventId | undefined {
  if (text[0] !== '$' || text.length < 2 || !fitsInBytes(text, IDENTIFIER_BYTES_MAX)) return undefined;
  return text.includes('\0') || !text.isWellFormed() ? undefined : (text as EventId);
}
