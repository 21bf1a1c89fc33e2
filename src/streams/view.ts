import type { SyncToken } from './token.ts';
import type { MemoryStream, WakeKey } from './stream.ts';

/** A parked long poll. */
export interface Parked {
  /** Resolves with `woken` when a row for one of the keys was applied, `timed-out`, or `cancelled`. */
  readonly outcome: Promise<'woken' | 'timed-out' | 'cancelled'>;
  cancel(): void;
}

/** How long a reply waits for the local view to see its own write. */
export const READ_YOUR_WRITES_WAIT_MS = 5_000;

/** The streams as one thread sees them. */
export interface StreamViews {
  /** The applied position of a stream: an integer at any time. Throws for a name that is not registered. */
  currentToken(stream: string): number;
  /** The epoch that the position belongs to; 0 for durable streams. */
  epoch(stream: string): number;
  /** The vector of all streams that have a letter: what a client gets as `next_batch`. */
  now(): SyncToken;
  /**
   * Resolves when this thread's view has reached `position`; at once when it has. After {@link READ_YOUR_WRITES_WAIT_MS}
   * it resolves with false and counts that.
   */
  reached(stream: string, position: number): Promise<boolean>;
  /** Parks until something happens for one of `keys` after `since`, at most `timeoutMs`. */
  park(keys: readonly WakeKey[], since: SyncToken, timeoutMs: number): Parked;
  /** Rows of an in-memory stream as this thread holds them: the latest of each key with position in (from, now]. */
  memoryRows<Row>(
    stream: MemoryStream<string, Row>,
    from: number,
  ): readonly { readonly position: number; readonly row: Row }[];
  /** Has anything with this wake key been applied after `position` on that stream? False positives allowed, never false negatives. */
  mayHaveChanged(stream: string, key: WakeKey, after: number): boolean;
}
