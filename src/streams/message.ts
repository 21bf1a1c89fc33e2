import type { Ask, Tell } from '../../actors/kit/protocol.ts';
import type { Fact } from './fact.ts';
import type { StreamPage, StreamRow } from './stream.ts';

/** ROWS: what an owner publishes after its commit. Rows and what they make untrue travel together. */
export interface StreamRows {
  readonly stream: string;
  readonly owner: string;
  readonly epoch: number;
  /** The owner wrote nothing in (prev, first row). */
  readonly prev: number;
  /** The token after these rows. */
  readonly position: number;
  readonly rows: readonly StreamRow<unknown>[];
  readonly invalidations: readonly Fact[];
}

/** POSITION: the owner's last published position, once on connecting and whenever the token moved without rows. */
export interface StreamPosition {
  readonly stream: string;
  readonly owner: string;
  readonly epoch: number;
  readonly prev: number;
  readonly position: number;
}

/** What every owner of streams understands, beside its own messages. */
export type StreamOwnerProtocol = {
  /** Answered with one `stream.position` per stream told to `subscriber`; then rows follow. */
  'stream.subscribe': Tell<{
    readonly subscriber: string;
    readonly streams: readonly string[];
    /** Those of `streams` whose positions are enough: told `stream.position` where others are told `stream.rows`. */
    readonly positionsOnly?: readonly string[];
  }>;
  'stream.unsubscribe': Tell<{ readonly subscriber: string }>;
  /** How far the subscriber is: for its lag, and for streams that are trimmed by acknowledgement. */
  'stream.acknowledge': Tell<{
    readonly subscriber: string;
    readonly stream: string;
    readonly epoch: number;
    readonly position: number;
  }>;
  /**
   * Catch-up of in-memory streams: the latest row of each key in (from, to]. An older epoch reads from the beginning. `forgottenUpTo`, there
   * only when it is after `from`: rows up to it may have been forgotten without a row in their place.
   */
  'stream.read': Ask<
    {
      readonly stream: string;
      readonly epoch: number;
      readonly from: number;
      readonly to: number;
      readonly limit: number;
    },
    StreamPage<unknown> & { readonly epoch: number; readonly forgottenUpTo?: number }
  >;
};

/** What every subscriber understands. */
export type StreamSubscriberProtocol = {
  'stream.rows': Tell<StreamRows>;
  'stream.position': Tell<StreamPosition>;
};
