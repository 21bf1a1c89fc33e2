/*
 * What rows take in the file, about, so that a purge can say what it gave back without reading the whole file. A row costs its texts, and
 * beside them what stands here: its cell, its numbers, and its entries in the indices of its table. Entries under random keys (event ids) are
 * counted half as much again, for such pages are two thirds full. The tests compare the sums with the pages that became free.
 */

/** An event of any kind: its row and the entries by stream order, timeline and topology, without its texts. */
const EVENT_BYTES = 100;
/** What a state event has beside that: entries by state and state key, and its id once more. */
const STATE_EVENT_BYTES = 70;
/** An entry of a table or an index that holds small numbers only. */
export const NUMBERS_ROW_BYTES = 16;
/** A state group with its entry by room. */
export const STATE_GROUP_BYTES = 28;
/** An entry of a state group. */
export const STATE_ENTRY_BYTES = 14;
/** An entry of the current state with its entry by membership. */
export const CURRENT_STATE_BYTES = 34;
/** A membership of a local user, without the text of its sender. */
export const LOCAL_MEMBERSHIP_BYTES = 50;

/** How much more an entry under a random key takes. */
const RANDOM_KEY_FACTOR = 1.5;

/** What an event takes, its index entries included. `idBytes` and `pduBytes` are the lengths of its texts in bytes. */
export function eventSizeBytes(event: {
  readonly idBytes: number;
  readonly pduBytes: number;
  readonly isState: boolean;
}): number {
  const { idBytes, pduBytes, isState } = event;
  const ids = idBytes * (1 + RANDOM_KEY_FACTOR) + (isState ? idBytes : 0);
  return Math.round(pduBytes + ids + EVENT_BYTES + (isState ? STATE_EVENT_BYTES : 0));
}
