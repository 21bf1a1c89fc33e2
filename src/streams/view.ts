import type { InputOf, OutputOf } from '../../actors/kit/protocol.ts';
import type { StreamOwnerProtocol, StreamPosition, StreamRows } from './message.ts';
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
   *
   * @param epoch of in-memory streams: the epoch that `position` belongs to, as the owner's reply gave it
   */
  reached(stream: string, position: number, epoch?: number): Promise<boolean>;
  /**
   * Parks until something happens for one of `keys` after `since`, at most `timeoutMs`.
   *
   * @param since what the asker has looked at already: the vector that {@link StreamViews.now} gave before it read, not the
   *   client's old token, which would be answered `woken` again and again
   */
  park(keys: readonly WakeKey[], since: SyncToken, timeoutMs: number): Parked;
  /** Rows of an in-memory stream as this thread holds them: the latest of each key with position in (from, now]. */
  memoryRows<Row>(
    stream: MemoryStream<string, Row>,
    from: number,
  ): readonly { readonly position: number; readonly row: Row }[];
  /**
   * What the previous epoch of an in-memory stream held when it ended: what clients with an older token may still believe. Empty
   * while this thread has seen one epoch only.
   */
  forgottenRows<Row>(stream: MemoryStream<string, Row>): readonly Row[];
  /**
   * Rows of an in-memory stream up to here may have been forgotten without another in their place: what a client with an older position of
   * the present epoch believes may have ended.
   */
  forgottenUpTo(stream: string): number;
  /** Has anything with this wake key been applied after `position` on that stream? False positives allowed, never false negatives. */
  mayHaveChanged(stream: string, key: WakeKey, after: number): boolean;
  /** Where something with this wake key was applied last on that stream; nothing with it is between there and now. Undefined: not known. */
  lastChange(stream: string, key: WakeKey): number | undefined;
}

/** How the views of a thread reach the owners of in-memory streams. */
export interface OwnerLink {
  /** Asks the owner for a page (`stream.read`). Rejects when the owner does not answer. */
  read(
    owner: string,
    request: InputOf<StreamOwnerProtocol, 'stream.read'>,
  ): Promise<OutputOf<StreamOwnerProtocol, 'stream.read'>>;
}

/** The streams of one thread as its `views@…` actor sees them: what it receives goes in here. */
export interface ThreadViews extends StreamViews {
  /** Loads the positions of durable streams from the database, once; later calls wait for the first. Before anybody looks. */
  load(): Promise<void>;
  /** Owners to be subscribed to, each with its streams. */
  subscriptions(): readonly Subscription[];
  /** A new life of the views actor: its link to owners replaces the one before. */
  connect(link: OwnerLink): void;
  /** The connection to an owner is gone or about to be made anew: its rows count again after its next POSITION. */
  disconnect(owner: string): void;
  receiveRows(message: StreamRows): void;
  receivePosition(message: StreamPosition): void;
  /** Ends timers and waiters: the thread stops. */
  close(): void;
}

/** What a thread wants of one owner. */
export interface Subscription {
  readonly owner: string;
  readonly streams: readonly string[];
  readonly positionsOnly: readonly string[];
}
